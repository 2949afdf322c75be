import { ApplicationFailure } from '@temporalio/common';
import { FailureType } from '../domain/failure-type';
import type { VersionKey } from '../sql/queries/versions';

/** A late attempt, or a retry of a cycle that was given up: nothing more may go into this candidate. */
export function candidateGone({ relation, version }: VersionKey, state: string | undefined): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `Candidate ${relation} version ${version} is ${state ?? 'unknown'}: expected it to be still in the making; a later generation has its own`,
    FailureType.CandidateGone,
  );
}

/** Another execution holds the dataset's turn, or this generation was given up. */
export function turnLost(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`${message}: this execution may change nothing any more`, FailureType.TurnLost);
}

/** PostgreSQL's five-character code of an error, when it has one; Node's own codes, such as EPIPE, have no digit. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
