import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { checksPython } from '../../infra/local/toolchain/checks-python';

/** Where nobody listens: a check that wants the network fails instead of finding something else on another day. */
const NO_NETWORK = 'http://127.0.0.1:9';
const LIMIT_MS = 120_000;

export interface CheckOutput {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of the checks' Python environment without the network. @throws Error when it is not installed or takes too long */
export async function runCheck(program: 'cfn-lint' | 'checkov' | 'zizmor' | 'check-jsonschema' | 'pyflakes', args: readonly string[], cwd: string): Promise<CheckOutput> {
  const python = process.env['MERIDIAN_CHECKS_PYTHON'] ?? (await checksPython.locate())?.path;
  if (python === undefined) throw new Error('The Python environment of the checks is missing: `npm test` installs it');
  return await new Promise((resolve, reject) => {
    const child = spawn(join(dirname(python), program), args, {
      cwd,
      env: { ...process.env, http_proxy: NO_NETWORK, https_proxy: NO_NETWORK, HTTP_PROXY: NO_NETWORK, HTTPS_PROXY: NO_NETWORK, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      if (signal === null) resolve({ exitCode, stdout, stderr });
      else reject(new Error(`${program} was ended by ${signal}, after ${LIMIT_MS / 1_000} s at most. Its last lines:\n${stderr.slice(-2_000)}`));
    });
  });
}
