import { dedupPolicy, type RunPlaces, transformPolicy } from '../../activities/execution-policy';
import type { DedupInput, TransformInput } from '../../domain/documents';

const GENERATION = 'mobile/20240102T000000Z/g0001';
const places: RunPlaces = {
  input: { bucket: 'artifacts', key: `cycles/${GENERATION}/transform/input.json` },
  jobsUri: 's3://artifacts/jobs/0a1b',
  logsUri: 's3://artifacts/logs/applications/00abc/jobs/',
  partition: 'aws',
};
const document = (files: readonly string[], references: Readonly<Record<string, string>> = {}): TransformInput => ({
  cycle: { pipeline: 'mobile', dataset: 'positions', intervalStart: '2024-01-01T00:00:00Z', intervalEnd: '2024-01-02T00:00:00Z', generation: 1 },
  cycleId: 'mobile/20240102T000000Z',
  files: files.map((uri) => ({ uri, rowCount: 1, added: true })),
  rowCount: files.length,
  addedRowCount: files.length,
  references,
  outputUri: `s3://refined/${GENERATION}/`,
  quarantineUri: `s3://quarantine/${GENERATION}/transform/`,
});

interface Policy {
  readonly Statement: readonly { readonly Action: readonly string[]; readonly Resource: readonly string[] | string }[];
}
const resourcesOf = (policy: string, action: string) => (JSON.parse(policy) as Policy).Statement.filter(({ Action }) => Action.includes(action)).flatMap(({ Resource }) => Resource);

test('S2.21 a run reads the folder of its own files, its document, the job code and its references, and writes its own generation’s prefixes', () => {
  const files = ['s3://storage/positions/event_date=2024-01-01/a-0.parquet', 's3://storage/positions/event_date=2024-01-02/b-0.parquet'];

  const policy = transformPolicy(document(files, { countries: 's3://artifacts/reference/countries.parquet' }), places);

  const written = [`arn:aws:s3:::artifacts/logs/applications/00abc/jobs/*`, `arn:aws:s3:::quarantine/${GENERATION}/transform/*`, `arn:aws:s3:::refined/${GENERATION}/*`];
  expect(resourcesOf(policy, 's3:PutObject')).toEqual(written);
  expect(resourcesOf(policy, 's3:DeleteObject')).toEqual(written);
  expect(resourcesOf(policy, 's3:GetObject')).toEqual([
    `arn:aws:s3:::artifacts/cycles/${GENERATION}/transform/input.json`,
    'arn:aws:s3:::artifacts/jobs/0a1b/*',
    'arn:aws:s3:::artifacts/reference/countries.parquet*',
    'arn:aws:s3:::storage/positions/*',
    ...written,
  ]);
  expect(resourcesOf(policy, 's3:ListBucket')).toEqual(['artifacts', 'quarantine', 'refined', 'storage'].map((bucket) => `arn:aws:s3:::${bucket}`));
});

test('S2.21 X4 a dry run’s reads its own chunks, which are among the artifacts, and no other dry run’s', () => {
  const files = ['s3://artifacts/dry-runs/mobile.dry/20240102T000000Z/g0001/chunks/000000/a.parquet', 's3://artifacts/dry-runs/mobile.dry/20240102T000000Z/g0001/chunks/000001/b.parquet'];

  const read = resourcesOf(transformPolicy(document([...files, 's3://storage/positions/event_date=2024-01-01/a-0.parquet']), places), 's3:GetObject');

  expect(read).toContain('arn:aws:s3:::artifacts/dry-runs/mobile.dry/20240102T000000Z/g0001/chunks/*');
  expect(read).toContain('arn:aws:s3:::storage/positions/event_date=2024-01-01/*');
});

test('the names of folders that begin alike do not widen it to another folder', () => {
  const files = ['s3://storage/positions/event_date=2024-01-01/a.parquet', 's3://storage/positions/event_date=2024-01-01b/a.parquet'];

  expect(resourcesOf(transformPolicy(document(files), places), 's3:GetObject')).toContain('arn:aws:s3:::storage/positions/*');
});

test('I5 it is the same for each attempt, in whatever order the document has its references', () => {
  const files = ['s3://storage/positions/event_date=2024-01-01/a.parquet'];
  const [one, other] = [
    { a: 's3://artifacts/reference/a', b: 's3://artifacts/reference/b' },
    { b: 's3://artifacts/reference/b', a: 's3://artifacts/reference/a' },
  ];

  expect(transformPolicy(document(files, one), places)).toBe(transformPolicy(document(files, other), places));
});

test('the longest names that AWS and a declaration allow fit; references that do not are allowed by their folder, and what fits in no way is refused by name', () => {
  const bucket = (zone: string) => zone.padEnd(63, 'x');
  const generation = `${'p'.repeat(32)}.dry/20240102T000000Z/g0001`;
  const long = {
    ...document([`s3://${bucket('storage')}/${'d'.repeat(32)}/event_date=2024-01-01/a.parquet`, `s3://${bucket('artifacts')}/dry-runs/${generation}/chunks/a.parquet`]),
    outputUri: `s3://${bucket('refined')}/${generation}/`,
    quarantineUri: `s3://${bucket('quarantine')}/${generation}/transform/`,
  };
  const longPlaces = {
    ...places,
    input: { bucket: bucket('artifacts'), key: `cycles/${generation}/transform/input.json` },
    jobsUri: `s3://${bucket('artifacts')}/jobs/${'0'.repeat(64)}`,
    logsUri: `s3://${bucket('artifacts')}/logs/applications/00f0000000000000/jobs/`,
    partition: 'aws-us-gov',
  };
  const references = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`r${index}`, `s3://${bucket('artifacts')}/reference/${index}.parquet`]));

  expect(transformPolicy(long, longPlaces).length).toBeLessThanOrEqual(2_048);
  const many = transformPolicy(document(['s3://storage/positions/a.parquet'], references), places);
  expect(many.length).toBeLessThanOrEqual(2_048);
  expect(resourcesOf(many, 's3:GetObject')).toContain(`arn:aws:s3:::${bucket('artifacts')}/reference/*`);
  expect(() => transformPolicy(document([], { a: `s3://artifacts/${'r'.repeat(1_500)}/a`, b: `s3://artifacts/${'r'.repeat(1_500)}/b` }), places)).toThrow(/has \d+ characters, and EMR Serverless takes 2048/);
});

test('S2.21 a dedup’s run reads its raw objects by version and what counts as seen, and writes files of its own attempt alone', () => {
  const key = (hour: string) => `positions/2024/01/01/${hour}/a.gz`;
  const input: Pick<DedupInput, 'attempt' | 'raw' | 'objects' | 'seen' | 'storageUri' | 'quarantineUri' | 'workUri'> = {
    attempt: '0a1b2c3d4e5f6071',
    raw: { bucket: 'raw', format: 'json-lines' },
    objects: ['01', '02'].map((hour) => ({ key: key(hour), versionId: 'v', etag: 'e', sizeBytes: 1, arrivalHour: `2024-01-01T${hour}:00:00Z`, fromMs: 0, toMs: 1 })),
    seen: { '2024-01-01': [{ uri: 's3://storage/positions/event_date=2024-01-01/b-0.parquet', rowCount: 1, sizeBytes: 1 }] },
    storageUri: 's3://storage/positions/',
    quarantineUri: `s3://quarantine/${GENERATION}/dedup/000000-0a1b2c3d4e5f6071-`,
    workUri: `s3://refined/${GENERATION}/_dedup/000000-1/`,
  };

  const policy = dedupPolicy(input as DedupInput, places);

  expect(resourcesOf(policy, 's3:GetObjectVersion')).toEqual(['arn:aws:s3:::raw/positions/2024/01/01/*']);
  expect(resourcesOf(policy, 's3:PutObject').sort()).toEqual([
    'arn:aws:s3:::artifacts/logs/applications/00abc/jobs/*',
    `arn:aws:s3:::quarantine/${GENERATION}/dedup/000000-0a1b2c3d4e5f6071-*`,
    `arn:aws:s3:::refined/${GENERATION}/_dedup/000000-1/*`,
    'arn:aws:s3:::storage/positions/event_date=*/0a1b2c3d4e5f6071-*',
  ]);
  expect(resourcesOf(policy, 's3:GetObject')).toEqual(expect.arrayContaining(['arn:aws:s3:::raw/positions/2024/01/01/*', 'arn:aws:s3:::storage/positions/event_date=2024-01-01/*']));
});
