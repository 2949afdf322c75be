import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { type CycleRef, cycleWorkflowId, generationPrefix } from '../domain/cycle';
import { signatureFaults } from '../domain/decision';
import type { S3Pointer, TransformInput } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { RERUN_STAGES, type RerunPlan, type RerunRequest, type ReusedResults } from '../domain/rerun';
import { type CycleRecord, listCycles, recordRerun } from '../sql/queries/cycles';
import type { Database } from '../sql/schema';
import type { LedgerActivities } from './ledger';
import { readJsonDocument } from './json-document';
import { servedFiles, transformInputPointer, type TransformDocumentDependencies } from './transform-documents';

export interface RerunDependencies {
  readonly db: Kysely<Database>;
  readonly s3: S3Client;
  readonly buckets: { readonly artifacts: string; readonly refined: string; readonly storage: string };
  readonly liveStorageFiles: TransformDocumentDependencies['liveStorageFiles'];
  readonly chunkTotals: LedgerActivities['chunkTotals'];
}

export interface PlanRerunInput {
  readonly spec: PipelineSpec;
  readonly intervalEnd: string;
  readonly request: RerunRequest;
}

/** More executions of one interval than anybody starts by hand; the newest count. */
const MOST_GENERATIONS = 200;

/** Activities that find what an earlier generation of a cycle left for a rerun to build on. */
export function createRerunActivities(deps: RerunDependencies) {
  return {
    /**
     * What a rerun would reuse, or why it cannot be. Idempotent: reads only; call it before a generation is opened, so that a refused
     * rerun changes nothing, and again under the turn.
     * @param generation - the rerun's own, which is not looked at
     * @throws `RerunRefused`, not retryable, with the stage that can be run instead
     */
    async planRerun({ spec, intervalEnd, request, generation = Infinity }: PlanRerunInput & { readonly generation?: number }): Promise<RerunPlan> {
      const workflowId = cycleWorkflowId(spec.name, intervalEnd);
      const faults = [...stageFaults(request), ...signatureFaults(request)];
      if (faults.length > 0) throw refused(workflowId, faults.join('; '));
      const records = (await listCycles(deps.db, { pipeline: spec.name, intervalEnd, limit: MOST_GENERATIONS })).filter((each) => each.cycle.generation < generation);
      const [latest] = records;
      if (latest === undefined) throw refused(workflowId, `it has never run: start it with \`meridian run ${spec.name} --interval-end ${intervalEnd}\``);
      const plan = { ...request, ofGeneration: latest.cycle.generation, ofRunId: latest.runId };
      const data = await storedGeneration(deps, records);
      if (request.from === 'discover') {
        // Its objects are loaded: nothing would be found, and the night would look empty.
        if (latest.outcome === 'promoted' || latest.outcome === 'blocked') {
          throw refused(workflowId, `its records are stored [outcome=${latest.outcome}]: run it again with --from transform`);
        }
        return plan;
      }
      if (data === undefined) throw refused(workflowId, `no record of it is stored [outcome=${latest.outcome ?? 'open'}]: run it again with --from discover, which reads its objects again`);
      if (request.from === 'transform') return { ...plan, data };
      return { ...plan, data, output: await usableOutput(deps, spec, records, request, workflowId) };
    },

    /**
     * Notes on the cycle record what the rerun builds on, and returns the results of the stages that are not run again. Idempotent by
     * (cycle, generation).
     * @throws `RerunRefused`, not retryable, when something of it is gone since
     */
    async reuseResults({ cycle, plan }: { readonly cycle: CycleRef; readonly plan: RerunPlan }): Promise<ReusedResults> {
      await recordRerun(deps.db, cycle, plan);
      if (plan.data === undefined) return {};
      const { counts: records } = await deps.chunkTotals({ cycle: plan.data });
      if (plan.from !== 'load' || plan.output === undefined) return { records };
      const gate = await gateOf(deps.db, plan.output);
      if (gate === undefined) throw refused(generationPrefix(cycle), 'the gate of its earlier generation is not on record: run it again with --from check');
      return { records, gate };
    },
  };
}
export type RerunActivities = ReturnType<typeof createRerunActivities>;

function stageFaults({ from }: RerunRequest): readonly string[] {
  return RERUN_STAGES.includes(from) ? [] : [`from: expected ${RERUN_STAGES.join(', ')}, found ${JSON.stringify(from)}`];
}

/** The newest generation whose chunks are committed and not voided. */
async function storedGeneration(deps: RerunDependencies, records: readonly CycleRecord[]): Promise<CycleRef | undefined> {
  for (const { cycle } of records) {
    if ((await deps.chunkTotals({ cycle })).chunks > 0) return cycle;
  }
  return undefined;
}

/** The newest generation with an output that is made from exactly the files that are live now: an older one would take newer records from the readers. */
async function usableOutput(
  deps: RerunDependencies,
  spec: PipelineSpec,
  records: readonly CycleRecord[],
  { from }: RerunRequest,
  workflowId: string,
): Promise<CycleRef> {
  for (const { cycle, rerun } of records) {
    const output = rerun?.output ?? cycle;
    if ((await readJsonDocument(deps.s3, outputManifestPointer(deps, output))) === undefined) continue;
    const input = await readJsonDocument<TransformInput>(deps.s3, transformInputPointer(deps.buckets.artifacts, output));
    const live = new Set(servedFiles(await deps.liveStorageFiles(spec), output, spec).map((file) => `s3://${deps.buckets.storage}/${file.key}`));
    const made = [...(input?.files.map(({ uri }) => uri) ?? []), ...(input?.refresh?.keptUris ?? [])];
    const stale = input === undefined || !(made.every((uri) => live.delete(uri)) && live.size === 0);
    if (stale) throw refused(workflowId, `storage has changed since its transform [generation=${output.generation}]: run it again with --from transform`);
    if (from === 'load' && (await gateOf(deps.db, output)) === undefined) {
      throw refused(workflowId, `no passed or approved gate is on record for its output [generation=${output.generation}]: run it again with --from check`);
    }
    return output;
  }
  throw refused(workflowId, 'no transform output of it is kept: run it again with --from transform');
}

function outputManifestPointer({ buckets }: RerunDependencies, cycle: CycleRef): S3Pointer {
  return { bucket: buckets.refined, key: `${generationPrefix(cycle)}/_manifest.json` };
}

/** What the gate said of a generation's output, if that let it through. */
async function gateOf(db: Kysely<Database>, output: CycleRef): Promise<ReusedResults['gate']> {
  const records = await listCycles(db, { pipeline: output.pipeline, intervalEnd: output.intervalEnd, limit: MOST_GENERATIONS });
  for (const { cycle, rerun, counts } of records) {
    if ((rerun?.output ?? cycle).generation !== output.generation) continue;
    const { rules, gate, decision } = counts as { rules?: NonNullable<ReusedResults['gate']>['rules']; gate?: NonNullable<ReusedResults['gate']>['rowCounts']; decision?: { decision: string } };
    if (rules === undefined || rules.length === 0 || gate === undefined) continue;
    return decision?.decision === 'approve' || rules.every((rule) => rule.result === 'PASS') ? { rules, rowCounts: gate } : undefined;
  }
  return undefined;
}

function refused(what: string, why: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`${what} cannot be run again so: ${why}`, FailureType.RerunRefused);
}
