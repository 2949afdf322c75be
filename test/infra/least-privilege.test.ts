import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { ACTIVITY_GROUP_NAMES } from '../../domain/activity-groups';
import { CycleOutcome } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { comparedReport, startDryRun } from '../faults/dry-runs';
import { Lab } from '../faults/lab';
import { deduplicatedBySpark, faultPipeline, refreshedByDay } from '../faults/pipeline';
import { nightEnd, rawNight } from '../faults/raw-night';
import { Story } from '../faults/story';
import { grantName } from '../support/iam/role-policies';

const GROUPS = ACTIVITY_GROUP_NAMES.map((group) => `Roles${group.charAt(0).toUpperCase()}${group.slice(1)}`);
const LIMIT_MS = 5 * 60_000;
const WHY = { by: 'ada', reason: 'the sensors were off' };
const PIPELINES = {
  promoted: refreshedByDay(faultPipeline('p1-promoted')),
  rejected: faultPipeline('p2-rejected'),
  failed: faultPipeline('p3-failed'),
  dry: refreshedByDay(faultPipeline('p4-dry')),
  bySpark: deduplicatedBySpark(faultPipeline('p6-by-spark')),
} as const;
const ON_OBJECT = { ...faultPipeline('p5-arriving'), ingest: { mode: 'on-object', maxObjects: 4, maxBytes: 64 * 1024 ** 2, maxAgeSeconds: 900, sweepMinutes: 60 } } as const;

let lab: Lab;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([...Object.values(PIPELINES), ON_OBJECT]);
  await lab.workers.restart({ env: { MERIDIAN_ARCHIVE_SECONDS: '1', MERIDIAN_BACKLOG_SECONDS: '1' } });
  await Promise.all([promoted(), rejected(), failed(PIPELINES.failed), failed(PIPELINES.bySpark), dry(), arriving()]);
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

const temporal = () => lab.access.temporal.workflow;

async function promoted(): Promise<void> {
  const story = new Story(lab, PIPELINES.promoted);
  await story.ends(1, CycleOutcome.Promoted);
  expect((await story.rerun(1, { from: 'transform', ...WHY })).outcome).toBe(CycleOutcome.Promoted);
}

async function rejected(): Promise<void> {
  const story = new Story(lab, PIPELINES.rejected);
  await story.failsRule(1);
  await story.ends(1, CycleOutcome.Rejected);
  const named = { pipeline: story.spec.name, intervalEnd: nightEnd(1) };
  await lab.script(story.spec, 1, {});
  expect((await story.rerun(1, { from: 'discover', ...WHY })).outcome).toBe(CycleOutcome.Promoted);
  await story.failsRule(2);
  await story.ends(2, CycleOutcome.Rejected);
  await temporal().execute('discardCycle', { workflowId: `discard/${named.pipeline}`, taskQueue: 'meridian', args: [{ ...named, intervalEnd: nightEnd(2), ...WHY }] });
}

async function failed(spec: PipelineSpec): Promise<void> {
  const story = new Story(lab, spec);
  await lab.script(story.spec, 1, { transform: { outcome: 'fail' } });
  await story.ends(1, 'failed');
}

async function dry(): Promise<void> {
  await new Story(lab, PIPELINES.dry).ends(1, CycleOutcome.Promoted);
  await lab.upload(rawNight(PIPELINES.dry.name, 2, 3, []));
  const handle = await startDryRun(lab, PIPELINES.dry, 2);
  await comparedReport(handle);
  await handle.signal('drop');
  await handle.result();
}

/** An event of an object that no pipeline wants: read, and deleted. */
async function arriving(): Promise<void> {
  const { AWS_ENDPOINT_URL: endpoint = '', AWS_REGION: region = '', MERIDIAN_EVENT_QUEUE_URL: QueueUrl = '', MERIDIAN_RAW_BUCKET: name = '' } = lab.engines.env;
  const sqs = new SQSClient({ endpoint, region, useQueueUrlAsEndpoint: false, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  const detail = { bucket: { name }, object: { key: 'nobodys/2024/01/01/00/a.json', size: 1, etag: 'a', 'version-id': 'v' } };
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify({ source: 'aws.s3', 'detail-type': 'Object Created', time: '2024-01-01T00:00:00Z', detail }) }));
  sqs.destroy();
}

/** Granted, and needed where these paths do not go: by whom, and what shows it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'RolesIngest dynamodb:BatchGetItem on DedupLedger': 'segments that the cache has lost: test/dedup/ledger.test.ts',
  'RolesDryRun dynamodb:BatchGetItem on DedupLedger': 'segments that the cache has lost: test/dedup/ledger.test.ts',
  'RolesIngest s3:GetObject on LakeStorage/*': 'segments that have expired are made again from storage: test/backfill',
  'RolesDryRun s3:GetObject on LakeStorage/*': 'segments that have expired are made again from storage: test/backfill',
  'RolesIngest s3:GetObject on LakeRaw/*': 'for a reader that names no version; nothing asks so today',
  'RolesDryRun s3:GetObject on LakeRaw/*': 'for a reader that names no version; nothing asks so today',
  'RolesIngest s3:ListBucket on LakeArtifacts': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesIngest s3:ListBucket on LakeRefined': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesTransform s3:ListBucket on LakeArtifacts': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one; and for the references of a pipeline that is refreshed by day',
  'RolesPublish s3:ListBucket on LakeArtifacts': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesDryRun s3:ListBucket on LakeRefined': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesTransform s3:ListBucket on LakeRefined': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesGate s3:ListBucket on LakeArtifacts': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesGate s3:ListBucket on LakeRefined': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesLoad s3:ListBucket on LakeArtifacts': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesLoad s3:ListBucket on LakeRefined': 'S3 asks for it by itself, to tell a document that is not there from a forbidden one',
  'RolesTransform emr-serverless:ListJobRuns on SparkApplication': 'a run whose id was lost with a response: test/faults/slice.test.ts',
  'RolesTransform emr-serverless:CancelJobRun on jobruns/*': 'a run of a cycle that is cancelled: npm run faults',
  'RolesGate glue:CancelDataQualityRulesetEvaluationRun on dataQualityRuleset/*': 'a run of a cycle that is cancelled: npm run faults',
  'RolesEvents sqs:ChangeMessageVisibility on ArrivalsQueue': 'a batch that waits for Temporal: test/inbox/inbox.test.ts',
  'RolesEvents sqs:DeleteMessage on ArrivalsQueue': 'an event that was told: test/inbox/inbox.test.ts',
};

test('S2.21 S1.13 whatever a worker asks for while cycles promote, fail, are rejected, discarded, run again and rehearsed, the role of its group allows', () => {
  expect(lab.engines.iam.denied).toEqual([]);
  // Each group has asked in its own name, and the worker itself for its roles alone.
  expect([...lab.engines.iam.used.keys()].sort()).toEqual(['RolesWorker', ...GROUPS].sort());
  expect([...(lab.engines.iam.used.get('RolesWorker') ?? [])].filter((grant) => !grant.startsWith('sts:AssumeRole on '))).toEqual([]);
});

test('S2.21 whatever a role is granted is needed, here or where it says', () => {
  const { policies, used } = lab.engines.iam;
  const unused = GROUPS.flatMap((role) =>
    policies
      .of(role)
      .flatMap(({ actions, resources }) => actions.flatMap((action) => resources.map((resource) => [action, resource] as const)))
      .filter(([action, resource]) => used.get(role)?.has(grantName(action, resource)) !== true && !action.startsWith('kms:'))
      .map(([action, resource]) => `${role} ${grantName(action, shortName(resource))}`),
  );

  expect(unused.filter((grant) => ELSEWHERE[grant] === undefined)).toEqual([]);
});

/** `LakeRaw/*`, `DedupLedger`, `dataQualityRuleset/*` */
function shortName(resource: string): string {
  const [, object] = /^arn:aws:s3:::(.*)$/.exec(resource) ?? [];
  return object ?? resource.replace(/^.*(jobruns\/\*|dataQualityRuleset\/\*)$/, '$1').replace(/^arn:.*[:/]([^:/]+)$/, '$1');
}
