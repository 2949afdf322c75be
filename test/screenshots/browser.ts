import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { onPath } from '../../infra/local/toolchain/command';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const START_LIMIT_MS = 30_000;
const PAGE_LIMIT_MS = 60_000;

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** A headless Chromium with one page, spoken to by its DevTools protocol. */
export class Browser {
  private sent = 0;
  private readonly waiting = new Map<number, (answer: Answer) => void>();

  private constructor(
    private readonly child: ChildProcess,
    private readonly profile: string,
    private readonly socket: WebSocket,
  ) {
    socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id !== undefined) this.waiting.get(answer.id)?.(answer);
    });
  }

  /** @throws Error that says how to install it, where there is no Chromium */
  static async start(width: number, height: number): Promise<Browser> {
    const executable = NAMES.map(onPath).find((path) => path !== undefined);
    if (executable === undefined) throw new Error(`None of ${NAMES.join(', ')} is on the PATH: install it, as by \`apt-get install -y chromium\``);
    const profile = mkdtempSync(join(tmpdir(), 'meridian-screenshots-'));
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []; // Chromium refuses to sandbox root
    const child = spawn(
      executable,
      ['--headless=new', ...sandbox, '--disable-gpu', '--hide-scrollbars', '--remote-debugging-port=0', `--user-data-dir=${profile}`, `--window-size=${width},${height}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    );
    try {
      const socket = new WebSocket(await pageAddress(await addressOf(child)));
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve, { once: true });
        socket.addEventListener('error', () => reject(new Error(`${executable} does not answer at ${socket.url}`)), { once: true });
      });
      const browser = new Browser(child, profile, socket);
      await browser.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      return browser;
    } catch (error) {
      await end(child, profile);
      throw error;
    }
  }

  async open(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /**
   * Until an expression is true on the page.
   * @throws Error with what the page shows instead
   */
  async until(expression: string): Promise<void> {
    for (const deadline = Date.now() + PAGE_LIMIT_MS; ; await sleep(100)) {
      if ((await this.evaluate(`Boolean(${expression})`)) === true) return;
      if (Date.now() > deadline) throw new Error(`The page never came to ${expression}; it shows: ${String(await this.evaluate('document.body.innerText'))}`);
    }
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result } = (await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })) as { readonly result: { readonly value?: unknown } };
    return result.value;
  }

  /** The upper left of the page, as PNG. */
  async screenshot(width: number, height: number): Promise<Buffer> {
    const { data } = (await this.send('Page.captureScreenshot', { format: 'png', clip: { x: 0, y: 0, width, height, scale: 1 } })) as { readonly data: string };
    return Buffer.from(data, 'base64');
  }

  async stop(): Promise<void> {
    this.socket.close();
    await end(this.child, this.profile);
  }

  private async send(method: string, params: object): Promise<unknown> {
    const id = (this.sent += 1);
    const answer = await new Promise<Answer>((resolve) => {
      this.waiting.set(id, resolve);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
    this.waiting.delete(id);
    if (answer.error !== undefined) throw new Error(`Chromium refuses ${method}: ${answer.error.message}`);
    return answer.result;
  }
}

/** Ends Chromium with its helpers, and removes its profile. */
async function end(child: ChildProcess, profile: string): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.pid !== undefined && child.exitCode === null) {
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }); // its helpers may still write
}

async function pageAddress(browser: string): Promise<string> {
  const pages = (await (await fetch(`http://${new URL(browser).host}/json/list`)).json()) as readonly { readonly type: string; readonly webSocketDebuggerUrl: string }[];
  const page = pages.find(({ type }) => type === 'page');
  if (page === undefined) throw new Error(`Chromium opened no page: ${JSON.stringify(pages)}`);
  return page.webSocketDebuggerUrl;
}

async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stderr === null) throw new Error('Chromium was started without its stderr');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
  const said: string[] = [];
  try {
    for await (const line of createInterface(child.stderr)) {
      said.push(line);
      const [, address] = /DevTools listening on (ws:\S+)/.exec(line) ?? [];
      if (address !== undefined) return address;
    }
  } finally {
    clearTimeout(timer);
    child.stderr.resume();
  }
  throw new Error(`Chromium did not start within ${START_LIMIT_MS / 1_000} s: ${said.slice(-5).join('\n')}`);
}
