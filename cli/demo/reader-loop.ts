import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReadersReport } from './readers';

/** What the readers beside one night saw. */
export interface ReaderSummary {
  readonly reads: number;
  readonly failed: number;
  readonly empty: number;
  readonly mixed: number;
  /** Longest statement: of the reads that met the promotion where there was one, else of all. */
  readonly longestMs: number;
}

export interface ReaderLoop {
  /** A promotion is near: read as fast as possible. */
  hurry(): void;
  /**
   * Ends the readers.
   * @param window - epoch milliseconds of the promotion, where there was one
   */
  finish(window?: { readonly fromMs: number; readonly toMs: number }): Promise<{ readonly summary: ReaderSummary; readonly faults: readonly string[] }>;
  /** Ends the readers without an answer; safe after `finish`. */
  abandon(): void;
}

const FINISH_TIMEOUT_MS = 45_000;

/** Starts readers as a process of its own; database by the PG* variables of `env`. */
export function startReaders(env: NodeJS.ProcessEnv): ReaderLoop {
  const child = spawn(process.execPath, ['--require', require.resolve('tsx/cjs'), join(__dirname, 'readers.ts')], {
    env,
    // The channel closes with this process, however it ends, and the readers end with it.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('The demo readers were started without their output');
  const output = { stdout: '', stderr: '' };
  stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      output.stderr += error.message;
      resolve();
    });
  });
  return {
    hurry: () => void child.kill('SIGUSR2'),
    abandon: () => endHard(child),
    async finish(window) {
      child.kill('SIGTERM');
      await Promise.race([ended, sleep(FINISH_TIMEOUT_MS, undefined, { ref: false })]);
      endHard(child);
      const { reads } = parseReport(output.stdout, output.stderr);
      return { summary: summarise(reads, window), faults: [...new Set(reads.map((read) => read.detail).filter((detail) => detail !== undefined))] };
    },
  };
}

/** Counts reads; what counts for the longest are those that overlap the window. */
export function summarise(reads: ReadersReport['reads'], window?: { readonly fromMs: number; readonly toMs: number }): ReaderSummary {
  const count = (verdict: string) => reads.filter((read) => read.verdict === verdict).length;
  const met = reads.filter(({ startedAtMs, longestMs }) => window !== undefined && startedAtMs <= window.toMs && startedAtMs + longestMs >= window.fromMs);
  const longest = Math.max(0, ...(met.length > 0 ? met : reads).map((read) => read.longestMs));
  return { reads: reads.length, failed: count('failed'), empty: count('empty'), mixed: count('mixed'), longestMs: Math.round(longest * 10) / 10 };
}

function parseReport(text: string, errors: string): ReadersReport {
  try {
    return JSON.parse(text) as ReadersReport;
  } catch {
    throw new Error(`The demo readers ended without a report: ${errors.trim().split('\n').slice(-5).join('\n') || 'no output'}`);
  }
}

function endHard(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
