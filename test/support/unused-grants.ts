/** What a role's policies have: one action on one resource. */
interface Grant {
  readonly role: string;
  readonly action: string;
  readonly resource: string;
  readonly used: boolean;
}

/** Grants that the demo and the pages need not have come to use, and what does. A grant that is nowhere used has no place in the template. */
const EXCUSED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^dry_run |^emr_job s3:GetObject artifacts\/dry-runs/, 'no page starts a dry run: test/faults/dry-run.test.ts does, behind the same policies'],
  [
    /^emr_dedup |^transform iam:PassRole role\/\S*DedupJob|^ingest s3:GetObject refined\/\*\/_dedup/,
    'no declared pipeline is deduplicated by Spark: test/infra/enforced.test.ts has one',
  ],
  [/^events /, 'no declared pipeline runs on each object: test/inbox has one'],
  [/^backlog /, 'the backlog scales the service of the runtime stack, on AWS alone'],
  [/^worker sts:AssumeRole role\/\S*(DryRun|Events|Backlog)/, 'for these three'],
  [/^(ingest|gate|load|publish|transform) s3:ListBucket /, 'tells an object that is not there from one that may not be read'],
  [/^ingest (s3:DeleteObject|s3:GetObject storage|dynamodb:(BatchGet|Put|Delete)Item)/, 'an attempt that follows a broken one, records whose witness is looked at, objects that are set aside'],
  [/^ingest s3:GetObject raw/, 'an object from before its bucket had versions'],
  [/^transform (s3:GetObject artifacts\/logs|emr-serverless:(ListJobRuns|CancelJobRun))/, 'a job that failed, was given up, or whose start was not answered'],
  [/^gate glue:(Create|Cancel)/, 'a ruleset that is new, a run that is given up'],
  [/^(emr_job|glue) s3:(AbortMultipartUpload|DeleteObject|GetObject|ListMultipartUploadParts) (refined|quarantine|artifacts\/(logs|cycles\/\*\/quality))\/\*$/, 'a writer that repeats or gives up an upload'],
  [/^emr_job s3:(PutObject|ListBucketMultipartUploads) quarantine/, 'rows that a transform quarantines'],
  [/^(emr_job|glue) s3:(GetBucketLocation|ListBucket) /, "the file systems of AWS's own images, which are others than here"],
  [/^glue (logs|cloudwatch):|^glue glue:(BatchGetPartition|GetDatabase|GetPartition|GetDataQuality|PublishDataQuality)|^glue s3:GetObject aws-glue-/, 'Glue itself, by its documentation'],
];

/**
 * Grants that no call since the local AWS started was allowed by and that nothing excuses, as `ingest s3:GetObject raw/*`, sorted. For the roles that work: the
 * activity groups' (by the name of their variable), the worker's, and those that jobs run as.
 * @param env - of a stack that enforces its policies
 */
export async function unusedGrants(env: Readonly<Record<string, string | undefined>>): Promise<readonly string[]> {
  const response = await fetch(`${env['AWS_ENDPOINT_URL'] ?? ''}/_meridian/grants`, { headers: { authorization: env['MERIDIAN_TASK_TOKEN'] ?? '' } });
  if (!response.ok) throw new Error(`The local AWS tells no grants: ${response.status}`);
  const grants = (await response.json()) as readonly Grant[];
  const roles = namesOf(env, /^MERIDIAN_(\w+)_ROLE_ARN$/, (arn) => arn.slice(arn.lastIndexOf('/') + 1));
  const things = namesOf(env, /^MERIDIAN_(\w+)_(?:BUCKET|TABLE|APPLICATION_ID)$/, (name) => name);
  return grants
    .filter(({ role, used }) => !used && roles.has(role))
    .map(({ role, action, resource }) => {
      const [, , , , , ...name] = resource.split(':');
      const named = [...things].reduce((text, [physical, short]) => text.replace(physical, short), name.join(':') || resource);
      return `${roles.get(role)} ${action} ${named}`;
    })
    .filter((grant) => !EXCUSED.some(([pattern]) => pattern.test(grant)))
    .sort();
}

function namesOf(env: Readonly<Record<string, string | undefined>>, pattern: RegExp, physical: (value: string) => string): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(env).flatMap(([name, value]) => {
      const short = pattern.exec(name)?.[1];
      return short === undefined || value === undefined ? [] : [[physical(value), short.toLowerCase()]];
    }),
  );
}
