import { createHash } from 'node:crypto';
import { generationPrefix, type CycleRef } from '../domain/cycle';

/**
 * The token that makes a submit idempotent at EMR Serverless and Glue: the same for every retry of a step, another for
 * another generation (I5). The SDK's own token is new on each call and would start a second job.
 * 64 hexadecimal characters, the services' longest; @see StartJobRun, `clientToken`, pattern `[A-Za-z0-9._-]+`.
 */
export function clientToken(cycle: CycleRef, step: string): string {
  return createHash('sha256').update(`${generationPrefix(cycle)}/${step}`).digest('hex');
}

/** Identifies what a job was asked to do, so that a token is never reused for something else. */
export function parametersHash(parameters: unknown): string {
  return createHash('sha256').update(JSON.stringify(parameters)).digest('hex');
}
