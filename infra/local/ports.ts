import { execFileSync } from 'node:child_process';
import { createServer, connect } from 'node:net';
import { StackError } from './stack-error';

const HOST = '127.0.0.1';

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  return await bind(0);
}

/** True when something accepts connections there. */
export async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: HOST, port, timeout: 1_000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

/**
 * Makes sure that `port` can be taken.
 * @throws StackError that names the port, who holds it where the system tells, and the variable that chooses another
 */
export async function claimable(port: number, what: string, variable: string): Promise<void> {
  try {
    await bind(port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const reason = code === 'EACCES' ? 'may not be opened by this user' : `is in use by ${holderOf(port) ?? 'another process'}`;
    throw new StackError(
      `Port ${port} of ${HOST}, wanted for ${what}, ${reason}. Stop that process, or choose another port: ${variable}=${port < 65_000 ? port + 100 : port - 100} npx meridian up`,
    );
  }
}

/** `name (process 123)` of what listens on the port, where `ss` or `lsof` tells. */
export function holderOf(port: number): string | undefined {
  const bySs = output('ss', ['-Hltnp', `sport = :${port}`]).match(/\(\("([^"]+)",pid=(\d+)/);
  if (bySs?.[1] !== undefined) return `${bySs[1]} (process ${bySs[2]})`;
  const byLsof = output('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']).match(/p(\d+)\nc(.+)/);
  return byLsof?.[2] === undefined ? undefined : `${byLsof[2]} (process ${byLsof[1]})`;
}

async function bind(port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: HOST, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

function output(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', timeout: 5_000, stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}
