import { CycleOutcome } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { isRefreshedByDay } from '../../domain/refresh';
import { BUNDLE_CACHE } from '../support/worker';
import { audit } from './audit/audit';
import type { AuditReport } from './audit/subject';
import type { Cell } from './cells/cells';
import { faultyNight } from './faulty-night';
import type { EndedNight, Lab } from './lab';
import { NIGHT_LIMIT_MS, Nights } from './nights';
import { pathOf } from './paths/paths';
import { faultPipeline } from './pipeline';
import { rawNight } from './raw-night';
import { type ReaderPool, startReaders } from './readers/reader-pool';
import type { ReadersReport } from './readers/report';

/** A cell with a seed: what it takes to run the same again. */
export interface Scenario {
  readonly cell: Cell;
  readonly seed: number;
  readonly spec: PipelineSpec;
}

/** What came of one scenario. */
export interface ScenarioResult {
  readonly cell: string;
  readonly seed: number;
  /** Empty: nothing lost, nothing twice, nobody blocked. */
  readonly violations: readonly string[];
  readonly outcome: EndedNight['outcome'];
  readonly seconds: number;
  /** From a worker's loss until its work went on elsewhere. */
  readonly recoveryMs?: number;
  readonly counts: AuditReport['counts'];
  readonly longestReadMs: number;
  readonly readsWhileDown: number;
}

const FAULTY = 2;

/** @param index - of the cell, which names the scenario's pipeline */
export function scenarioOf(cell: Cell, index: number, seed: number): Scenario {
  const spec = faultPipeline(`c${String(index).padStart(3, '0')}-s${seed}`);
  return { cell, seed, spec: pathOf(cell.path).declare?.(spec) ?? spec };
}

/** Promotes the first night of many scenarios at once: what each of them starts from. */
export async function prepare(lab: Lab, scenarios: readonly Scenario[]): Promise<void> {
  await Promise.all(
    scenarios.map(async ({ spec, seed }) => {
      await lab.upload(rawNight(spec.name, 1, seed, []));
      const { outcome, detail } = await lab.ended(await lab.startNight(spec, 1), NIGHT_LIMIT_MS);
      if (outcome !== CycleOutcome.Promoted) throw new Error(`Night 1 of ${spec.name} ended ${outcome}, before any fault: ${detail}`);
    }),
  );
}

/** Runs a prepared scenario: the faulty execution among readers, a clean night if that one did not promote, then the audit. */
export async function runScenario(lab: Lab, scenario: Scenario): Promise<ScenarioResult> {
  const startedMs = Date.now();
  const { cell, seed, spec } = scenario;
  const nights = new Nights(lab, spec, seed);
  const violations: string[] = [];
  const readers = await readersOf(lab, scenario);
  try {
    const path = pathOf(cell.path);
    const scene = { lab, spec, nights, readers, violations };
    const faulty = await faultyNight(lab, { cell, seed, spec, index: FAULTY, struck: await path.begin(scene) }, nights, violations);
    await path.afterwards?.(scene);
    await nights.cleanUntilPromoted(FAULTY + 1, violations);
    const read = await readers.report();
    const report = await audit({
      spec,
      access: lab.access,
      nights: nights.audited,
      readers: read.total,
      outcomes: await lab.outcomes.drain(),
      lostNotification: cell.point === 'notify' && cell.fault.outcomes.includes('promoted'),
      workers: { workDirs: lab.workers.workDirs, running: true, killed: faulty.lostWorker },
      bundleDir: BUNDLE_CACHE,
    });
    return {
      cell: cell.id,
      seed,
      violations: [...violations, ...report.violations.map(({ invariant, message }) => `${invariant}: ${message}`), ...read.violations.map((each) => `I3: ${each.at} ${each.fault} ${each.isolation} ${each.form}: ${each.saw}`)],
      outcome: faulty.ended.outcome,
      seconds: (Date.now() - startedMs) / 1_000,
      ...(faulty.recoveryMs === undefined ? {} : { recoveryMs: faulty.recoveryMs }),
      counts: report.counts,
      longestReadMs: longestRead(read),
      readsWhileDown: read.failedWhileDown,
    };
  } finally {
    readers.abandon();
  }
}

function readersOf({ engines: { env, passwords } }: Lab, { spec, seed }: Scenario): Promise<ReaderPool> {
  const { PGHOST: host = '', PGPORT: port = '', PGDATABASE: database = '' } = env;
  return startReaders({
    connection: { host, port: Number(port), database, user: 'meridian_reader', password: passwords.meridian_reader },
    pipeline: spec.name,
    byDay: isRefreshedByDay(spec),
    // Readers of 4 s make every promotion wait for its turn among them: in one scenario of five.
    readers: { short: 2, long: seed % 5 === 0 ? 1 : 0, readsPerSecond: 50 },
  });
}

function longestRead({ counts }: ReadersReport): number {
  return Math.max(...Object.values(counts).map(({ short }) => short.longestMs));
}
