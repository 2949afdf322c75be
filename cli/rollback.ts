import { Command, Option } from 'commander';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowFailedError, WorkflowIdConflictPolicy } from '@temporalio/client';
import type { PipelineSpec, RelationSpec } from '../domain/pipeline-spec';
import type { RollbackPlan, RollbackReport, RollbackRequest } from '../domain/rollback';
import { openDatabase } from '../sql/database';
import { planRollback } from '../sql/queries/plan-rollback';
import { assertCanAsk, confirmed } from './confirm';
import { loadStackEnvironment } from './environment';
import { failureOf } from './follow-cycle';
import { createOutput, type Output, UsageError } from './output';
import { namedRelation } from './relation-argument';
import { checkSignature, signed } from './signature';
import { withTemporal } from './temporal-client';

interface RollbackOptions {
  readonly to?: string;
  readonly by: string;
  readonly reason?: string;
  readonly continue?: boolean;
  readonly hold: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}


export function rollbackCommand(): Command {
  const command = new Command('rollback')
    .description('serve an earlier version again, of all relations of the pipeline together, at once; later cycles wait until you say --continue')
    .argument('<relation>', 'a relation or its view, such as positions or vw_positions')
    .option('--to <version>', 'a version that is kept, see `meridian versions` (default: the newest before the one that is served)');
  return signed(command, 'rolls back', { reason: 'optional' })
    .option('--no-hold', 'let the next cycle promote over it')
    .addOption(new Option('--continue', 'let cycles promote again after a rollback').conflicts(['to', 'yes']))
    .option('--yes', 'do not ask; needed where there is no terminal')
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      "\nThe same by Temporal's own CLI:\n" +
        `  temporal workflow start --type rollback --task-queue meridian --workflow-id rollback/<pipeline> \\\n    --input '{"pipeline":"…","relation":"…","to":3,"by":"ada","reason":"…"}'\n` +
        `  temporal workflow start --type releaseHold --task-queue meridian --workflow-id release/<pipeline> --input '{"pipeline":"…","by":"ada"}'`,
    )
    .action(async (name: string, options: RollbackOptions) => {
      const { spec, relation } = namedRelation(name);
      await loadStackEnvironment();
      const output = createOutput(options);
      if (options.continue === true) return await continuePromotions(spec, relation, options.by, output);
      const request = requestOf(spec, relation, options);
      const plan = await planOf(spec, relation, request);
      output.note(planText(plan, request));
      if (options.yes !== true && !(await confirmed('Roll back?'))) throw new Error('Nothing was rolled back');
      const report = await withTemporal((client) => execute<RollbackReport>(client, 'rollback', `rollback/${spec.name}`, request));
      output.result(report, reportText(relation, report));
    });
}

function requestOf(spec: PipelineSpec, relation: RelationSpec, options: RollbackOptions): RollbackRequest {
  const to = options.to === undefined ? undefined : Number(options.to);
  if (to !== undefined && !(Number.isSafeInteger(to) && to > 0)) throw new UsageError(`--to: expected a version's number, found "${options.to}"`);
  const signature = checkSignature({ by: options.by, reason: options.reason ?? '' });
  assertCanAsk(options);
  return { pipeline: spec.name, relation: relation.name, ...(to === undefined ? {} : { to }), ...signature, hold: options.hold };
}

async function planOf(spec: PipelineSpec, relation: RelationSpec, { to }: RollbackRequest): Promise<RollbackPlan> {
  const database = openDatabase();
  try {
    const planned = await planRollback(database.db, spec, relation.name, to);
    if ('refused' in planned) throw new Error(`Nothing was rolled back: ${planned.refused}`);
    return planned.plan;
  } finally {
    await database.close();
  }
}

function planText({ targets, cycle }: RollbackPlan, { hold }: RollbackRequest): string {
  const lines = targets.map((each) => `  ${each.view}: version ${each.from} → ${each.version}, ${each.rows} rows`);
  return [
    `Readers will see the cycle until ${cycle.intervalEnd} (generation ${cycle.generation}) again:`,
    ...lines,
    hold === false ? '  The next cycle may promote over it.' : '  No cycle promotes over it until `--continue`.',
  ].join('\n');
}

function reportText(relation: RelationSpec, { plan, sequence, promotedMs, held }: RollbackReport): string {
  const next = held ? `meridian rollback ${relation.view} --continue` : `meridian versions ${relation.view}`;
  return [
    `Rolled back in ${promotedMs} ms, promotion ${sequence}`,
    ...plan.targets.map((each) => `  ${each.view} → ${each.table}: ${each.rows} rows`),
    held ? `Cycles go on storing, and promote again after \`${next}\`` : `See \`${next}\``,
  ].join('\n');
}

async function continuePromotions(spec: PipelineSpec, relation: RelationSpec, by: string, output: Output): Promise<void> {
  const { released } = await withTemporal((client) => execute<{ released: boolean }>(client, 'releaseHold', `release/${spec.name}`, { pipeline: spec.name, by }));
  output.result(
    { pipeline: spec.name, released },
    released
      ? `Cycles of ${spec.name} promote again: the next one serves all that was stored meanwhile, or \`meridian run ${spec.name}\` now`
      : `Nothing held the promotions of ${relation.view}`,
  );
}

async function execute<T>(client: Client, type: string, workflowId: string, input: object): Promise<T> {
  try {
    return (await client.workflow.execute(type, { workflowId, taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian', args: [input], workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL })) as T;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw new Error(`${workflowId} runs already: wait for its end, \`temporal workflow show --workflow-id ${workflowId} --follow\` shows it`);
    if (error instanceof WorkflowFailedError) throw new Error(failureOf(error));
    throw error;
  }
}
