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
import type { Fault } from './scene';

/** One square of the board: a fault that strikes at a point of the night, at a moment. */
export interface Cell {
  /** `dedup/commit a chunk/worker SIGKILL/after` */
  readonly id: string;
  readonly point: PointName;
  readonly fault: Fault;
}

function across(faults: Fault | readonly Fault[], points: readonly PointName[]): readonly Cell[] {
  return [faults].flat().flatMap((fault) => points.map((point) => cellOf(point, fault)));
}

function cellOf(point: PointName, fault: Fault): Cell {
  const { stage, id } = POINTS[point];
  return { id: [stage, id, fault.id, fault.moment].filter((part) => part !== undefined).join('/'), point, fault };
}

const BODIES: readonly PointName[] = ['getRaw', 'readOutput', 'getPart'];
const PEOPLE: readonly PointName[] = [
  'takeTurn', 'listRaw', 'getRaw', 'commitChunk', 'startJob', 'pollJob', 'startQuality', 'copyPart', 'readSnapshots', 'swap', 'markObjects', 'notify',
];
const STATEMENTS: readonly PointName[] = [
  'openCycle', 'takeTurn', 'recordJob', 'createCandidate', 'claimPart', 'copyPart', 'commitPart', 'indexCandidate', 'readSnapshots', 'vacuum', 'swap',
  'closeCycle', 'freeTurn', 'claimNotification',
];

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
];
