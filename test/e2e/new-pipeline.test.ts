import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Client } from 'pg';
import type { CycleReport } from '../../domain/progress';
import { readStackEnv } from '../../infra/local/stack-env';
import { startMeridian } from './meridian-process';

const CHECKOUT = resolve(__dirname, '..', '..');
const SOURCES = ['activities', 'bin', 'cli', 'domain', 'edge', 'infra', 'jobs', 'pipelines', 'sql', 'worker', 'workflows', 'package.json', 'package-lock.json', 'tsconfig.json'];
const LIMIT_MS = 25 * 60_000; // the stack's tools may have to be brought first
const INTERVAL_END = '2018-08-02T00:00:00Z';

let scratch: string;
let copy: string;
let env: NodeJS.ProcessEnv;

/** The first block of that language in the page that a newcomer follows. */
function blockOf(page: string, language: string): string {
  const block = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1];
  if (block === undefined) throw new Error(`docs/new-pipeline.md has no ${language} block`);
  return block;
}

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'meridian-new-'));
  chmodSync(scratch, 0o755); // as root, PostgreSQL runs as another user
  copy = join(scratch, 'checkout');
  for (const source of SOURCES) cpSync(join(CHECKOUT, source), join(copy, source), { recursive: true });
  symlinkSync(join(CHECKOUT, 'node_modules'), join(copy, 'node_modules'));
  const free = { MERIDIAN_TEMPORAL_PORT: '0', MERIDIAN_TEMPORAL_UI_PORT: '0', MERIDIAN_POSTGRES_PORT: '0', MERIDIAN_AWS_PORT: '0' };
  env = { ...process.env, ...free, MERIDIAN_HOME: join(scratch, 'home') };
});
afterAll(async () => {
  await startMeridian(['down', '--purge'], env, copy).finished;
  rmSync(scratch, { recursive: true, force: true });
}, 120_000);

test("a reader's own dataset runs by the documented declaration and job alone, without workflow code (X15)", async () => {
  const page = readFileSync(join(CHECKOUT, 'docs', 'new-pipeline.md'), 'utf8');
  const registry = readFileSync(join(copy, 'pipelines', 'index.ts'), 'utf8');
  const extended = registry
    .replace("import { mobileGeolocation } from './mobile-geolocation';", "$&\nimport { places } from './places';")
    .replace('[mobileGeolocation]', '[mobileGeolocation, places]');
  expect(extended.match(/places/g)).toHaveLength(3);
  writeFileSync(join(copy, 'pipelines', 'index.ts'), extended);
  writeFileSync(join(copy, 'pipelines', 'places.ts'), blockOf(page, 'ts'));
  writeFileSync(join(copy, 'jobs', 'places.py'), blockOf(page, 'python'));
  const line = blockOf(page, 'json').trim();

  const check = await startMeridian(['pipelines', 'check'], env, copy).finished;
  expect(check.stdout).toContain('✔ places');
  const up = await startMeridian(['up', '--json'], env, copy).finished;
  const { postgresUrl } = JSON.parse(up.stdout) as { readonly postgresUrl: string };
  const stack = readStackEnv(join(scratch, 'home'));
  const s3 = new S3Client({
    endpoint: stack['AWS_ENDPOINT_URL'] ?? '',
    region: stack['AWS_REGION'] ?? '',
    credentials: { accessKeyId: stack['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: stack['AWS_SECRET_ACCESS_KEY'] ?? '' },
  });
  const Key = 'places/2018/08/01/06/gateway 1.json.gz';
  const body = gzipSync([line, line.replace('"p-1"', '"p-2"'), line, 'not json'].join('\n'));
  await s3.send(new PutObjectCommand({ Bucket: stack['MERIDIAN_RAW_BUCKET'], Key, Body: body }));
  const worker = startMeridian(['worker'], env, copy);
  const run = await startMeridian(['run', 'places', '--interval-end', INTERVAL_END, '--json'], env, copy).finished;
  worker.child.kill('SIGTERM');
  await worker.finished;

  expect(run.stderr).toContain('publish');
  expect(JSON.parse(run.stdout) as CycleReport).toMatchObject({
    outcome: 'promoted',
    records: { read: 4, stored: 2, duplicates: 1, quarantined: { bad_line: 1 } },
    served: [{ view: 'vw_places', rows: 2 }],
  });
  const reader = new Client({ connectionString: postgresUrl });
  await reader.connect();
  const { rows } = await reader.query('select id, name, st_x(geom) as x, raw_object, raw_line from public.vw_places order by id');
  await reader.end();
  expect(rows).toEqual([
    { id: 'p-1', name: 'Zürich', x: 8.54, raw_object: Key, raw_line: '1' },
    { id: 'p-2', name: 'Zürich', x: 8.54, raw_object: Key, raw_line: '2' },
  ]);
}, LIMIT_MS);
