import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { parse } from 'yaml';

const CHECKOUT = resolve(__dirname, '..', '..');

/** What a page tells its reader to type, in its order, and what the jobs of its CI examples run. @param page - from the project's root */
export function pageCommands(page: string): { readonly typed: readonly string[]; readonly ci: readonly string[] } {
  const text = readFileSync(join(CHECKOUT, page), 'utf8');
  const blocks = (language: string) => [...text.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(([, block = '']) => block);
  const workflows = blocks('yaml').map((block) => parse(block) as { readonly jobs: Readonly<Record<string, { readonly steps: readonly { readonly run?: string }[] }>> });
  return {
    typed: blocks('sh').flatMap((block) => block.split('\n').filter((line) => line !== '')),
    ci: workflows.flatMap(({ jobs }) => Object.values(jobs)).flatMap(({ steps }) => steps.flatMap(({ run }) => (run === undefined ? [] : [run]))),
  };
}

/** A shell in the checkout, as its reader has one, with our `npx` and the stack's `temporal` first in the path. */
export class PageShell {
  private readonly env: NodeJS.ProcessEnv;
  private readonly workers: ChildProcess[] = [];

  constructor(env: NodeJS.ProcessEnv, home: string) {
    const bin = join(home, 'bin');
    mkdirSync(bin, { recursive: true });
    this.program(join(bin, 'npx'), `shift\nexec '${process.execPath}' '${join(CHECKOUT, 'bin', 'meridian.js')}' "$@"`);
    this.program(join(bin, 'temporal'), `exec '${env['MERIDIAN_TEMPORAL'] ?? 'temporal'}' "$@"`);
    this.env = { ...env, PATH: `${bin}:${env['PATH'] ?? ''}` };
  }

  /** @returns its exit code and all that it said; a worker is left running once it polls */
  async type(line: string): Promise<{ readonly code: number | null; readonly said: string }> {
    const child = spawn('bash', ['-eo', 'pipefail', '-c', line], { cwd: CHECKOUT, env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((done) => child.once('close', done));
    if (/npx meridian worker$/.test(line)) {
      this.workers.push(child);
      let said = '';
      for await (const chunk of child.stderr.setEncoding('utf8').iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
        said += chunk;
        if (said.includes('Worker polls')) break;
      }
      child.stderr.resume();
      child.stdout.resume();
      return { code: said.includes('Worker polls') ? 0 : 1, said };
    }
    const [out, errors, code] = await Promise.all([textOf(child.stdout), textOf(child.stderr), ended]);
    return { code, said: `${out}${errors}` };
  }

  /** Ends the workers that were started. */
  async close(): Promise<void> {
    for (const worker of this.workers) {
      if (worker.exitCode !== null) continue;
      const ended = new Promise((done) => worker.once('exit', done));
      worker.kill('SIGTERM');
      await ended;
    }
  }

  private program(path: string, script: string): void {
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }
}
