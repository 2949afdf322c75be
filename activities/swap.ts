import { performance } from 'node:perf_hooks';
import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Pool, PoolClient, QueryConfig } from 'pg';
import { generationPrefix } from '../domain/cycle';
import { FailureType } from '../domain/failure-type';
import { type RollbackStatement, rollbackStatement, type SwapInput, swapStatement } from '../sql/queries/promotions';
import { sqlState, turnLost } from './candidate-failures';

export type SwapAttempt =
  | { readonly done: true; readonly sequence: number; readonly promotedMs: number }
  /** Somebody rolled back, and said that nothing is to be promoted over it yet. */
  | { readonly done: false; readonly held: true; readonly reason: string }
  /** Not by this attempt, as far as it knows: where the connection broke, the ledger says it. */
  | { readonly done: false; readonly held?: false; readonly reason: string };

/** What a promotion may hold up any reader: more is refused by the server, whatever this process does meanwhile. */
const SWAP_LIMIT = '200ms';

interface SwapRow {
  readonly sequence: number;
  readonly swapMs: number | null;
  readonly already: boolean;
}

/**
 * One attempt at the swap, on a connection of its own. When the connection broke, nobody knows the outcome: the next
 * attempt waits for the first one's transaction, and finds its ledger row or swaps itself.
 */
export async function trySwap(pool: Pool, swap: SwapInput): Promise<SwapAttempt> {
  return await attempt(pool, swapStatement(swap), (error) => notPromoted(error, swap));
}

/** The same for a rollback. */
export async function tryRollback(pool: Pool, rollback: RollbackStatement): Promise<SwapAttempt> {
  return await attempt(pool, rollbackStatement(rollback), (error) => notRolledBack(error, rollback));
}

async function attempt(pool: Pool, statement: QueryConfig, notDone: (error: unknown) => SwapAttempt): Promise<SwapAttempt> {
  let client: PoolClient | undefined;
  try {
    client = await pool.connect();
    client.on('error', ignore);
    await client.query(`set statement_timeout = '${SWAP_LIMIT}'`);
    const startedMs = performance.now();
    const { rows } = await client.query<SwapRow>(statement);
    const [row] = rows;
    if (row === undefined) throw new Error('the swap answered without a row');
    const promotedMs = row.already ? (row.swapMs ?? 0) : performance.now() - startedMs;
    return { done: true, sequence: row.sequence, promotedMs: Math.round(promotedMs * 10) / 10 };
  } catch (error) {
    return notDone(error);
  } finally {
    // Its time limit must not meet anybody else's statement.
    client?.release(true);
  }
}

function notPromoted(error: unknown, { cycle, targets, epoch }: SwapInput): SwapAttempt {
  const message = messageOf(error);
  switch (sqlState(error)) {
    case 'MR005':
      return { done: false, held: true, reason: `${message}; \`meridian rollback ${targets[0]?.view ?? '<relation>'} --continue\` lets the next cycle promote all that is stored` };
    case 'MR001':
      throw final(`${generationPrefix(cycle)} was overtaken: ${message}. Run the cycle again to build on what is served now`, FailureType.PromotionSuperseded);
    case 'MR002':
    case 'MR004':
      throw turnLost(`${generationPrefix(cycle)} with epoch ${epoch} cannot promote: ${message}`);
    case 'MR003':
      throw final(`${generationPrefix(cycle)} cannot promote: ${message}, expected loaded candidates of its own`, FailureType.CandidateGone);
    default:
      return notSwapped(error, `${generationPrefix(cycle)} cannot promote`);
  }
}

function notRolledBack(error: unknown, { pipeline, latest }: RollbackStatement): SwapAttempt {
  const message = messageOf(error);
  switch (sqlState(error)) {
    case 'MR001':
      throw final(`${pipeline} was not rolled back from promotion ${latest}: ${message}. Look at \`meridian versions\`, and roll back again if you still want to`, FailureType.RollbackRefused);
    case 'MR003':
      throw final(`${pipeline} was not rolled back: ${message}, expected versions that are kept`, FailureType.RollbackRefused);
    default:
      return notSwapped(error, `${pipeline} cannot be rolled back`);
  }
}

/** What either swap can meet. */
function notSwapped(error: unknown, what: string): SwapAttempt {
  const message = messageOf(error);
  const code = sqlState(error);
  switch (code) {
    case '55P03': // lock_not_available
    case '57014': // query_canceled, by the time limit
    case '40P01': // deadlock_detected
      return { done: false, reason: `readers held a view's lock for longer than ${SWAP_LIMIT} at each attempt` };
    case '42P16': // invalid_table_definition: columns that the view cannot take, changed since they were looked at
      throw final(`${what}: ${message}`, FailureType.IncompatibleColumns);
    case '42809': // wrong_object_type: the view's name is a table's now
    case '42501': // insufficient_privilege: the view belongs to another role
      throw final(`${what}: ${message}`, FailureType.Misconfigured);
    default:
      if (code !== undefined && !isConnectionLoss(code)) throw error;
      log.warn('Outcome of a swap unknown, reading the ledger back', { what, error: message });
      return { done: false, reason: `the connection to the database broke: ${message}` };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Classes 08 (connection exception) and 57P (ended by an operator, shutting down, starting up). */
function isConnectionLoss(code: string): boolean {
  return code.startsWith('08') || code.startsWith('57P');
}

function final(message: string, type: FailureType): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}

function ignore(): void {}
