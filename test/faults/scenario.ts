import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { CycleOutcome, cycleWorkflowId } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { BUNDLE_CACHE } from '../support/worker';
import { audit } from './audit/audit';
import type { AuditedNight, AuditReport } from './audit/subject';
import type { Cell } from './cells/cells';
import { POINTS } from './cells/points';
import type { Scene } from './cells/scene';
import type { EndedNight, Lab } from './lab';
import { faultPipeline } from './pipeline';
import { nightEnd, rawNight, type RawUpload } from './raw-night';
import { type ReaderPool, startReaders } from './readers/reader-pool';
import type { ReadersReport } from './readers/report';
import { recoveryMs } from './recovery';

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

/** A faulty night has ended by then, or is stuck. */
const NIGHT_LIMIT_MS = Number(process.env['MERIDIAN_FAULT_NIGHT_SECONDS'] ?? 150) * 1_000;
const FAULTY = 2;

/** @param index - of the cell, which names the scenario's pipeline */
export function scenarioOf(cell: Cell, index: number, seed: number): Scenario {
  return { cell, seed, spec: faultPipeline(`c${String(index).padStart(3, '0')}-s${seed}`) };
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

/** Runs a prepared scenario: the faulty night among readers, a clean night if that one did not promote, then the audit. */
export async function runScenario(lab: Lab, scenario: Scenario): Promise<ScenarioResult> {
  const startedMs = Date.now();
  const { cell, seed, spec } = scenario;
  const nights = new Nights(lab, scenario);
  const violations: string[] = [];
  const readers = await readersOf(lab, scenario);
  try {
    const faulty = await faultyNight(lab, scenario, nights, violations);
    await nights.cleanUntilPromoted(violations);
    const read = await readers.report();
    const report = await audit({
      spec,
      access: lab.access,
      nights: nights.audited,
      readers: read.total,
      outcomes: await lab.outcomes.drain(),
      lostNotification: cell.point === 'notify' && cell.fault.outcomes.includes('promoted'),
      workers: { workDirs: lab.workers.workDirs, running: true, killed: true },
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

async function faultyNight(lab: Lab, scenario: Scenario, nights: Nights, violations: string[]) {
  const { cell, seed, spec } = scenario;
  const point = POINTS[cell.point];
  const random = xoroshiro128plus(seed * 7_919 + 1);
  const besides: Promise<unknown>[] = [];
  let begun: (handle: Awaited<Scene['night']>) => void = () => undefined;
  const scene: Scene = {
    lab,
    spec,
    night: new Promise((resolve) => (begun = resolve)),
    random: (least, most) => uniformInt(random, least, most),
    overtake: () => nights.start(FAULTY + 1).then(() => undefined),
    beside: (work) => void besides.push(work.catch((error: unknown) => violations.push(`the fault itself failed: ${String(error)}`))),
  };
  await nights.upload(FAULTY);
  const struck = await cell.fault.arm(scene, point, scene.random(1, point.calls));
  try {
    const handle = await nights.start(FAULTY);
    begun(handle);
    const ended = await nights.end(FAULTY, cell.fault.outcomes, violations);
    if (struck() === 0) violations.push(`the fault did not strike: nothing was tested`);
    const [loss] = lab.workers.losses;
    for (let done = 0; done < besides.length; done = besides.length) await Promise.all(besides);
    const recovered = loss === undefined ? undefined : await recoveryMs(lab.access.temporal.workflow.getHandle(handle.workflowId), loss.atMs);
    return { ended, recoveryMs: recovered };
  } finally {
    await Promise.all(besides);
    lab.engines.disarm();
    await lab.engines.repair();
    await lab.workers.settle();
  }
}

/** The nights of one scenario, from the second on. */
class Nights {
  private readonly uploads: RawUpload[][] = [];
  private readonly running = new Map<number, Awaited<ReturnType<Lab['startNight']>>>();
  private readonly outcomes = new Map<number, EndedNight>();

  constructor(
    private readonly lab: Lab,
    private readonly scenario: Scenario,
  ) {
    this.uploads.push([...rawNight(scenario.spec.name, 1, scenario.seed, [])]);
    this.outcomes.set(1, { outcome: CycleOutcome.Promoted, detail: '' });
  }

  get audited(): readonly AuditedNight[] {
    return this.uploads.map((uploads, index) => {
      const { outcome } = this.outcomes.get(index + 1) ?? { outcome: 'stuck' };
      const intervalEnd = nightEnd(index + 1);
      return { intervalEnd, workflowId: cycleWorkflowId(this.scenario.spec.name, intervalEnd), expected: outcome === 'stuck' ? 'any' : outcome, uploads };
    });
  }

  async upload(index: number): Promise<void> {
    if (this.uploads[index - 1] !== undefined) return;
    const uploads = [...rawNight(this.scenario.spec.name, index, this.scenario.seed, this.uploads.flat())];
    this.uploads.push(uploads);
    await this.lab.upload(uploads);
  }

  async start(index: number) {
    await this.upload(index);
    const handle = this.running.get(index) ?? (await this.lab.startNight(this.scenario.spec, index));
    this.running.set(index, handle);
    return handle;
  }

  async end(index: number, expected: readonly string[], violations: string[]): Promise<EndedNight> {
    const handle = await this.start(index);
    const ended = await this.lab.ended(handle, NIGHT_LIMIT_MS);
    this.outcomes.set(index, ended);
    if (!expected.includes(ended.outcome)) violations.push(`night ${index} ended ${ended.outcome}, expected ${expected.join(' or ')}: ${ended.detail}`);
    if (ended.outcome === 'stuck') {
      violations.push(`I8: night ${index} is stuck`);
      await handle.terminate('stuck').catch(() => undefined);
    }
    return ended;
  }

  /** Nothing strikes any more: within a night or two everything stands as it should. */
  async cleanUntilPromoted(violations: string[]): Promise<void> {
    for (let index = FAULTY + 1; this.running.has(index) || this.outcomes.get(index - 1)?.outcome !== CycleOutcome.Promoted; index += 1) {
      const { outcome } = await this.end(index, [CycleOutcome.Promoted], violations);
      if (outcome !== CycleOutcome.Promoted) return;
    }
  }
}

function readersOf({ engines: { env, passwords } }: Lab, { spec, seed }: Scenario): Promise<ReaderPool> {
  const { PGHOST: host = '', PGPORT: port = '', PGDATABASE: database = '' } = env;
  return startReaders({
    connection: { host, port: Number(port), database, user: 'meridian_reader', password: passwords.meridian_reader },
    pipeline: spec.name,
    // Readers of 4 s make every promotion wait for its turn among them: in one scenario of five.
    readers: { short: 2, long: seed % 5 === 0 ? 1 : 0, readsPerSecond: 50 },
  });
}

function longestRead({ counts }: ReadersReport): number {
  return Math.max(...Object.values(counts).map(({ short }) => short.longestMs));
}
