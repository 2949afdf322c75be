import {
  ANSWERS,
  cancel,
  cutPostgres,
  cutTemporal,
  failPostgres,
  failTemporal,
  freezeWorker,
  killTwice,
  killWorker,
  loseAws,
  MOMENTS,
  reset,
  restartAws,
  slowPostgres,
  slowTemporal,
  terminate,
} from './faults';
import { overtaken, skewedClock } from './circumstances';
import { badJob, badVerdict, unfinishedGate, unfinishedJob } from './engines-results';
import { expiredLog } from './expired-log';
import { fullDisk } from './full-disk';
import { lateAfterCancel, lateAfterFreeze, lateAfterKill, lateAfterTermination } from './late-calls';
import { POINTS, type PointName } from './points';
import { heldLock, heldSnapshot } from './readers-in-the-way';
import type { PathName } from '../paths/paths';
import type { Fault } from './scene';

/** One square of the board: a fault that strikes at a point of the night, or of what somebody does with it, at a moment. */
export interface Cell {
  /** `dedup/commit a chunk/worker SIGKILL/after`, `rollback/promote/repoint the views back/worker SIGKILL/after` */
  readonly id: string;
  readonly point: PointName;
  readonly fault: Fault;
  /** What is struck. */
  readonly path: PathName;
}

function across(faults: Fault | readonly Fault[], points: readonly PointName[], path: PathName = 'night'): readonly Cell[] {
  return [faults].flat().flatMap((fault) => points.map((point) => cellOf(point, fault, path)));
}

function cellOf(point: PointName, fault: Fault, path: PathName): Cell {
  const { stage, id } = POINTS[point];
  const parts = [path === 'night' ? undefined : path, stage, id, fault.id, fault.moment];
  return { id: parts.filter((part) => part !== undefined).join('/'), point, fault, path };
}

const BODIES: readonly PointName[] = ['getRaw', 'readOutput', 'getPart'];
const PEOPLE: readonly PointName[] = [
  'takeTurn', 'listRaw', 'getRaw', 'commitChunk', 'startJob', 'pollJob', 'startQuality', 'copyPart', 'readSnapshots', 'swap', 'markObjects', 'notify',
];
const STATEMENTS: readonly PointName[] = [
  'openCycle', 'takeTurn', 'recordJob', 'createCandidate', 'claimPart', 'copyPart', 'commitPart', 'indexCandidate', 'readSnapshots', 'vacuum', 'swap',
  'closeCycle', 'freeTurn', 'claimNotification',
];

const lostAnswer = ANSWERS.lostResponse;

/** The worker, the database and Temporal's server lost at a point; at a call of AWS, AWS. */
function struckBy(points: readonly PointName[], path: PathName): readonly Cell[] {
  return points.flatMap((point) => [
    ...across([killWorker('before'), killWorker('after'), failTemporal('after')], [point], path),
    ...across(POINTS[point].kind === 'sql' ? [cutPostgres('after'), failPostgres('before')] : loseAws, [point], path),
  ]);
}

/** Every cell, in a fixed order: a cell's name and seed say all that is needed to run it again. */
export const CELLS: readonly Cell[] = [
  ...across(ANSWERS.serverError, [
    'raiseFence', 'listRaw', 'askObjects', 'putManifest', 'getRaw', 'readLog', 'putSegment', 'putStorage', 'commitChunk', 'putInput', 'startJob',
    'pollJob', 'readOutput', 'gatePartition', 'startQuality', 'pollQuality', 'readQuality', 'getPart', 'markObjects', 'publishPartition', 'putMetrics', 'notify',
  ]),
  ...across(ANSWERS.slowDown, ['listRaw', 'putManifest', 'getRaw', 'putStorage', 'putQuarantine', 'getPart']),
  ...across(ANSWERS.throttled, ['askObjects', 'readLog', 'commitChunk', 'startJob', 'pollJob', 'startQuality', 'markObjects', 'notify']),
  ...across(ANSWERS.cutBefore, ['getRaw', 'commitChunk', 'startJob', 'startQuality', 'markObjects']),
  ...across(ANSWERS.lostResponse, [
    'raiseFence', 'putManifest', 'putSegment', 'putStorage', 'commitChunk', 'putInput', 'startJob', 'gatePartition', 'startQuality', 'markObjects',
    'publishPartition', 'notify',
  ]),
  ...across(ANSWERS.failedAfterEffect, ['putManifest', 'commitChunk', 'startJob', 'startQuality', 'markObjects', 'notify']),
  ...across(ANSWERS.silent, ['listRaw', 'commitChunk', 'startJob', 'getPart']),
  ...across(ANSWERS.stalled, ['getRaw', 'getPart']),
  ...across([ANSWERS.broken, ANSWERS.truncated, ANSWERS.truncatedUnchecked, ANSWERS.corrupt, ANSWERS.corruptUnchecked], BODIES),
  ...across(ANSWERS.wrongEtag, ['getRaw', 'getPart']),
  ...across(ANSWERS.unprocessed, ['markObjects']),
  ...across(ANSWERS.conflict, ['commitChunk']),

  ...across(MOMENTS.map(killWorker), [
    'openCycle', 'takeTurn', 'listRaw', 'getRaw', 'commitChunk', 'startJob', 'pollJob', 'startQuality', 'copyPart', 'commitPart', 'swap', 'markObjects',
    'closeCycle', 'notify',
  ]),
  ...across(killTwice('after'), ['commitChunk', 'startJob', 'commitPart', 'swap']),
  ...across(freezeWorker('before'), ['putSegment', 'commitChunk', 'startJob', 'createCandidate', 'copyPart', 'commitPart', 'swap', 'markObjects', 'notify']),
  ...across(freezeWorker('after'), ['commitChunk', 'startJob', 'swap']),

  ...across([cutPostgres('before'), cutPostgres('after')], STATEMENTS),
  ...across(failPostgres('before'), STATEMENTS),
  ...across(failPostgres('after'), ['openCycle', 'commitPart', 'swap', 'closeCycle']),
  ...across(slowPostgres, ['openCycle', 'swap']),
  ...across(failTemporal('after'), ['takeTurn', 'getRaw', 'startJob', 'pollJob', 'copyPart', 'swap', 'closeCycle']),
  ...across(cutTemporal, ['takeTurn', 'getRaw', 'startJob', 'pollJob', 'copyPart', 'swap', 'closeCycle']),
  ...across(slowTemporal, ['openCycle']),
  ...across(restartAws, ['getRaw', 'commitChunk', 'pollJob', 'pollQuality', 'getPart', 'markObjects']),
  ...across(loseAws, ['listRaw', 'getRaw', 'commitChunk', 'startJob', 'pollJob', 'startQuality', 'getPart', 'markObjects', 'notify']),

  ...across([cancel, terminate], PEOPLE),
  ...across(reset, ['listRaw', 'commitChunk', 'pollJob', 'startQuality', 'copyPart', 'swap', 'markObjects']),
  ...across(overtaken(), ['listRaw', 'commitChunk', 'copyPart', 'swap']),
  ...across([overtaken(killWorker('after')), overtaken(terminate)], ['commitChunk', 'copyPart']),
  ...across([skewedClock(+5), skewedClock(-5)], ['openCycle']),
  ...across(fullDisk, ['getRaw']),
  ...across([heldSnapshot, heldLock], ['swap']),

  ...badJob.flatMap((fault) => across(fault, ['startJob'])),
  ...badVerdict.flatMap((fault) => across(fault, ['startQuality'])),

  ...across(unfinishedJob, ['pollJob']),
  ...across(unfinishedGate, ['pollQuality']),
  ...across(lateAfterTermination('listRaw'), ['commitChunk']),
  ...across(lateAfterTermination('raiseFence'), ['swap']),
  ...across(lateAfterKill('commitChunk'), ['commitChunk']),
  ...across(lateAfterFreeze('claimPart'), ['commitPart']),
  ...across(lateAfterCancel('commitChunk'), ['swap']),
  ...across(overtaken(cancel), ['commitChunk', 'copyPart']),
  ...across(expiredLog, ['startJob']),
  ...across(killWorker('after'), ['confirmNotification']),

  // What people do with a pipeline: the worker, the engines and the people themselves strike there too.
  ...struckBy(['rollBack'], 'rollback'),
  ...across([lostAnswer, killWorker('after')], ['notify'], 'rollback'),
  ...across(terminate, ['readSnapshots'], 'rollback'),
  ...struckBy(['notify', 'swap'], 'approval'),
  ...across([cancel, terminate], ['notify', 'createCandidate'], 'approval'),
  ...struckBy(['openCycle', 'createCandidate', 'swap'], 'rerun from load'),
  ...across([cancel, terminate], ['takeTurn', 'copyPart', 'swap'], 'rerun from load'),
  ...struckBy(['startJob', 'copyPart'], 'rerun from transform'),
  ...across([cancel, terminate], ['startJob', 'copyPart'], 'rerun from transform'),
  ...struckBy(['getRaw', 'startJob', 'copyPart', 'swap'], 'dry run'),
  ...across([cancel, terminate], ['getRaw', 'startJob', 'copyPart', 'swap'], 'dry run'),
  ...struckBy(['takeTurn', 'commitChunk', 'copyPart', 'swap'], 'backfill'),
  ...across([cancel, terminate], ['takeTurn', 'commitChunk', 'copyPart', 'swap'], 'backfill'),

  // A night of a pipeline that is refreshed by day, from its plan to its promotion.
  ...struckBy(['putInput', 'gatePartition', 'copyDays', 'commitDays', 'copyPart', 'indexCandidate', 'swap'], 'refresh by day'),
  ...across([cancel, terminate], ['putInput', 'copyDays', 'copyPart', 'swap'], 'refresh by day'),
  ...across(reset, ['copyDays', 'swap'], 'refresh by day'),

  // A night whose records a Spark run compares with the ledger, from its document to its commit.
  ...struckBy(['putDedupInput', 'startDedup', 'pollDedup', 'readDedup', 'commitRun'], 'dedup by Spark'),
  ...across([lostAnswer, ANSWERS.serverError], ['putDedupInput', 'startDedup', 'commitRun'], 'dedup by Spark'),
  ...across([ANSWERS.conflict, ANSWERS.failedAfterEffect, killTwice('after'), freezeWorker('before'), overtaken(), overtaken(killWorker('after'))], ['commitRun'], 'dedup by Spark'),
  ...across([cancel, terminate, reset], ['startDedup', 'pollDedup', 'commitRun'], 'dedup by Spark'),
  ...across(expiredLog, ['gatePartition'], 'dedup by Spark'),
];
