import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { DemoSummary } from '../../cli/demo/summary';
import { cycleWorkflowId } from '../../domain/cycle';
import { findProcess, knownProcesses } from '../../infra/local/processes';
import { readStackEnv } from '../../infra/local/stack-env';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { startMeridian } from '../../test/e2e/meridian-process';
import type { Benchmark } from '../benchmark';
import { cpuSecondsOf, peakMbOf } from '../measure';
import { held, type Result, told } from '../results';
import { type CycleShares, cycleShares } from './whole-cycle/shares';

const ANY_PORT = { MERIDIAN_TEMPORAL_PORT: '0', MERIDIAN_TEMPORAL_UI_PORT: '0', MERIDIAN_POSTGRES_PORT: '0', MERIDIAN_AWS_PORT: '0' };
/** What waits for what, under the name that the page has for it; the rest is `other`. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  discover: ['discoverBatches'],
  dedup: ['dedupChunks'],
  transform: ['prepareTransform', 'submitSparkJob', 'awaitSparkJob', 'readJobManifest'],
  check: ['startQualityRun', 'awaitQualityRun'],
  load: ['createCandidate', 'loadRelation', 'copyUnchangedDays', 'finishCandidate'],
  promote: ['awaitSnapshots', 'vacuumCandidates', 'promote'],
};

/** The demo's nights on a stack of their own, as a user runs them: where the time goes, and how much of it is Temporal's (design section 10). */
export const wholeCycle: Benchmark = {
  name: 'whole-cycle',
  title: "where does a night's time go, and how much of it is orchestration?",
  async run({ scratch, note }) {
    const home = join(scratch, 'home');
    mkdirSync(home);
    chmodSync(scratch, 0o755); // as root, PostgreSQL runs as another user
    chmodSync(home, 0o755);
    const env = { ...process.env, ...ANY_PORT, MERIDIAN_HOME: home };
    try {
      note("the demo's three nights, on a stack of their own");
      const { code, stdout, stderr } = await startMeridian(['demo', '--json'], env).finished;
      if (code !== 0) throw new Error(`The demo ended with ${code}: ${stderr.slice(-2_000)}`);
      const { nights } = JSON.parse(stdout) as DemoSummary;
      const shares = await sharesOf(home, nights.map(({ intervalEnd }) => intervalEnd));
      const pids = knownProcesses(home).flatMap((name) => findProcess(home, name)?.pid ?? []);
      const seconds = shares.reduce((sum, each) => sum + each.seconds, 0);
      return { results: resultsOf(shares), usage: { seconds, cpuSeconds: cpuSecondsOf(pids), peakMb: peakMbOf(pids) } };
    } finally {
      await startMeridian(['down', '--purge'], env).finished;
    }
  },
};

async function sharesOf(home: string, intervalEnds: readonly string[]): Promise<readonly CycleShares[]> {
  const stack = readStackEnv(home);
  const connection = await Connection.connect({ address: stack['TEMPORAL_ADDRESS'] ?? '' });
  try {
    const client = new Client({ connection, namespace: stack['TEMPORAL_NAMESPACE'] ?? 'default' });
    return await Promise.all(intervalEnds.map(async (end) => cycleShares(await client.workflow.getHandle(cycleWorkflowId(mobileGeolocation.name, end)).fetchHistory())));
  } finally {
    await connection.close();
  }
}

function resultsOf(nights: readonly CycleShares[]): readonly Result[] {
  const results: Result[] = [];
  for (const [index, { seconds, byActivity, orchestrationSeconds }] of nights.entries()) {
    const name = (what: string) => `whole-cycle/night-${index + 1}/${what}`;
    results.push(told(name('seconds'), seconds, 's'));
    for (const [part, activities] of Object.entries(PARTS)) {
      const spent = activities.reduce((sum, activity) => sum + (byActivity[activity] ?? 0), 0);
      if (spent > 0) results.push(told(name(part), spent / seconds, `of the night, ${spent.toFixed(2)} s`));
    }
    results.push(held(name('orchestration'), orchestrationSeconds / seconds, `of the night, ${orchestrationSeconds.toFixed(2)} s`, 'at most', 0.05));
  }
  return results;
}
