import { generationPrefix } from '../../../domain/cycle';
import type { Evidence } from './evidence';
import { isTerminal, listServiceRuns, type ServiceRun } from './job-runs';
import { Findings, type Finding } from './subject';

/** What `meridian.job` may say of a job that is over; the last is for a token that never reached the service. */
const TERMINAL_STATES = ['SUCCESS', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'STOPPED', 'TIMEOUT', 'NEVER_STARTED'];

/** I5, X1: one external job a (cycle, step, generation), each on record before it began; and (I7) none is alive. */
export async function auditJobs({ subject, record }: Evidence): Promise<Finding> {
  const findings = new Findings('I5');
  const runs = await listServiceRuns(subject);
  const names = new Map(record.generations.flatMap(({ name, cycle }) => generationSpellings(generationPrefix(cycle)).map((prefix) => [prefix, name])));

  const submits = groups(runs, (run) => `${run.kind} ${run.submit}`);
  const generations = groups(runs, (run) => `${run.kind} ${run.step} of ${run.generation}`);
  for (const [what, same] of [...submits, ...generations]) {
    if (same.length > 1) findings.add(`${same.length} runs were started for ${what}, expected one: ${same.map((run) => run.id).join(', ')}`);
  }
  for (const run of runs) {
    const row = record.jobs.find((job) => job.kind === run.kind && job.step === run.step && job.generation === names.get(run.generation));
    if (row === undefined) findings.add(`${run.kind} run ${run.id} (${run.step} of ${run.generation}) stands in no row of meridian.job`);
    else if (row.externalId !== null && row.externalId !== run.id) {
      findings.add(`${run.kind} run ${run.id} is not the one on record for ${run.step} of ${row.generation}, which is ${row.externalId}`);
    } else if (run.kind === 'emr' && !row.clientToken.startsWith(run.submit)) {
      findings.add(`EMR run ${run.id} was started with token ${run.submit}…, on record is ${row.clientToken}`);
    }
    if (!isTerminal(run)) findings.add(`${run.kind} run ${run.id} (${run.step} of ${run.generation}) is ${run.state}: it costs money`, 'I7');
  }
  for (const job of record.jobs) {
    if (job.externalId !== null && !runs.some((run) => run.id === job.externalId)) {
      findings.add(`${job.kind} run ${job.externalId} is on record for ${job.step} of ${job.generation}, but the service does not know it`);
    }
    if (!TERMINAL_STATES.includes(job.state)) findings.add(`${job.step} of ${job.generation} is on record as ${job.state}`, 'I7');
  }
  const most = Math.max(0, ...[...submits.values(), ...generations.values()].map((same) => same.length));
  return { violations: findings.violations, counts: { jobs: runs.length, jobsPerTokenMax: most } };
}

/** As EMR's tag has it, and as the gate's partition has it. */
function generationSpellings(prefix: string): readonly string[] {
  return [prefix, prefix.replaceAll('/', '-')];
}

function groups(runs: readonly ServiceRun[], of: (run: ServiceRun) => string): ReadonlyMap<string, readonly ServiceRun[]> {
  const found = new Map<string, ServiceRun[]>();
  for (const run of runs) found.set(of(run), [...(found.get(of(run)) ?? []), run]);
  return found;
}
