import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { type CycleRef, cycleId } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { ttlSeconds } from './expiry';
import { LOG_PREFIX, logKey } from './keys';
import type { Item, LedgerReader } from './ledger-table';

/** One entry of an event date's commit log: a chunk attempt's records were stored, or are stored no longer. */
export interface LogEntry {
  readonly sequence: number;
  readonly kind: 'chunk' | 'void';
  readonly attempt: string;
  readonly cycleId: string;
  /** Segments and fingerprints of the attempt on this date; 0 for a void. */
  readonly segments: number;
  readonly count: number;
  readonly ttl: number;
}

/** A date's log as read so far. */
export interface DateLog {
  readonly eventDate: string;
  readonly nextSequence: number;
  readonly entries: readonly LogEntry[];
}

/** Reads a date's log, consistently; with `known` only what came since. */
export async function readDateLog(
  table: LedgerReader,
  dataset: string,
  eventDate: string,
  known?: DateLog,
): Promise<DateLog> {
  const from = known?.nextSequence ?? 1;
  const entries = [...(known?.entries ?? [])];
  let nextSequence = from;
  const { pk, sk } = logKey(dataset, eventDate, from);
  for await (const item of table.query(pk, sk, `${LOG_PREFIX}~`)) {
    const entry = asEntry(item);
    entries.push(entry);
    nextSequence = entry.sequence + 1;
  }
  return { eventDate, nextSequence, entries };
}

/**
 * The chunk attempts whose records count as seen: those that are not voided. Nothing is too old to be compared with: a record that is
 * too old for its object's arrival never comes here, and an object that is found nights late is judged as on the day it arrived.
 * Entries whose TTL has passed are as good as deleted: DynamoDB removes them late and in any order, a void perhaps before what it
 * voids; what they named is read from storage instead.
 */
export function liveEntries(log: DateLog, nowMs: number): readonly LogEntry[] {
  const voided = voidedAttempts(log);
  return log.entries.filter((entry) => entry.kind === 'chunk' && !voided.has(entry.attempt) && entry.ttl > nowMs / 1000);
}

export function voidedAttempts(log: DateLog): ReadonlySet<string> {
  return new Set(log.entries.filter((entry) => entry.kind === 'void').map((entry) => entry.attempt));
}

/** The transaction item that appends to a date's log, refused when somebody else appended first. */
export function appendEntry(
  tableName: string,
  spec: PipelineSpec,
  cycle: CycleRef,
  log: DateLog,
  entry: Pick<LogEntry, 'kind' | 'attempt' | 'segments' | 'count'>,
  nowMs: number,
): TransactWriteItem {
  const { pk, sk } = logKey(spec.dataset, log.eventDate, log.nextSequence);
  const item: Record<string, AttributeValue> = {
    pk: { S: pk },
    sk: { S: sk },
    kind: { S: entry.kind },
    attempt: { S: entry.attempt },
    cycleId: { S: cycleId(cycle) },
    segments: { N: String(entry.segments) },
    count: { N: String(entry.count) },
    ttl: { N: String(ttlSeconds(spec, log.eventDate, nowMs)) },
  };
  return { Put: { TableName: tableName, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } };
}

/** The transaction item that holds for as long as nobody has appended to a date's log. */
export function unchangedLog(tableName: string, dataset: string, log: DateLog): TransactWriteItem {
  const { pk, sk } = logKey(dataset, log.eventDate, log.nextSequence);
  return {
    ConditionCheck: {
      TableName: tableName,
      Key: { pk: { S: pk }, sk: { S: sk } },
      ConditionExpression: 'attribute_not_exists(pk)',
    },
  };
}

function asEntry(item: Item): LogEntry {
  return {
    sequence: Number(item.sk?.S?.slice(LOG_PREFIX.length)),
    kind: item.kind?.S === 'void' ? 'void' : 'chunk',
    attempt: item.attempt?.S ?? '',
    cycleId: item.cycleId?.S ?? '',
    segments: Number(item.segments?.N ?? 0),
    count: Number(item.count?.N ?? 0),
    ttl: Number(item.ttl?.N ?? 0),
  };
}
