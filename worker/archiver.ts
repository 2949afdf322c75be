import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@temporalio/worker';
import type { HistoryArchive } from './history-archive';

/** Visibility tells of a close a while after it; what is listed twice is archived once. */
const OVERLAP_MS = 10 * 60_000;

/**
 * Archives histories beside the worker's own work, until `signal`: nothing of a cycle waits for it, and what it could not do it tries
 * again. It begins with all that the namespace still has, so that no downtime shorter than the namespace's retention leaves a gap.
 */
export async function keepArchiving(archive: Pick<HistoryArchive, 'sweep'>, everyMs: number, log: Logger, signal: AbortSignal): Promise<void> {
  let since: Date | undefined;
  while (!signal.aborted) {
    const startedAt = new Date();
    try {
      const { archived, lost, failed } = await archive.sweep(since, signal);
      if (archived + lost > 0) log.info('Histories archived', { archived, lost });
      if (failed.length === 0) since = new Date(startedAt.getTime() - OVERLAP_MS);
      else log.warn('Histories not archived, to be tried again', { count: failed.length, first: failed[0] });
    } catch (error) {
      if (signal.aborted) return;
      log.warn('Ended executions could not be listed for the archive, to be tried again', { error });
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
