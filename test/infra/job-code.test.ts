import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { uploadJobCode } from '../../infra/deploy/job-code';
import { zip } from '../../infra/deploy/zip';
import { type LocalAws, startLocalAws } from '../support/local-aws';

const BUCKET = 'artifacts';
const folder = mkdtempSync(join(tmpdir(), 'meridian-jobs-'));
let aws: LocalAws;
let s3: S3Client;

function write(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}
const keys = async () => {
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  return (Contents ?? []).map(({ Key }) => Key ?? '').sort();
};
const bytes = async (key: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
};

beforeAll(async () => {
  aws = await startLocalAws();
  s3 = new S3Client(aws.clientConfig);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  write('positions.py', 'from meridian_jobs.task import word\nprint(word())\n');
  write('meridian_jobs/__init__.py', '');
  write('meridian_jobs/task.py', 'def word():\n    return "zipped — ünïcode"\n');
  write('meridian_jobs/sql/zones.sql', 'select 1');
  write('meridian_jobs/__pycache__/task.cpython-311.pyc', 'compiled');
  write('tests/test_positions.py', 'assert False');
  write('pyproject.toml', '[project]');
});
afterAll(async () => {
  s3.destroy();
  await aws.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('Job code in the artifacts bucket', () => {
  test('S0.12 holds the scripts and one package, under a name that is their content, and nothing else', async () => {
    const uri = await uploadJobCode(s3, BUCKET, folder);

    expect(uri).toMatch(/^s3:\/\/artifacts\/jobs\/[0-9a-f]{16}$/);
    const prefix = uri.slice('s3://artifacts/'.length);
    expect(await keys()).toEqual([`${prefix}/meridian_jobs.zip`, `${prefix}/positions.py`]);
  });

  test('the package is one that Python imports as it is', async () => {
    const prefix = (await uploadJobCode(s3, BUCKET, folder)).slice('s3://artifacts/'.length);
    const archive = join(folder, 'fetched.zip');
    writeFileSync(archive, await bytes(`${prefix}/meridian_jobs.zip`));

    const script =
      'import sys, zipfile; sys.path.insert(0, sys.argv[1]); from meridian_jobs.task import word\n' +
      'z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), sorted(z.namelist()), word())';
    const printed = execFileSync('python3', ['-c', script, archive], {
      encoding: 'utf8',
      env: { ...process.env, PYTHONIOENCODING: 'utf8' },
    });
    rmSync(archive);

    expect(printed.trim()).toBe(
      "None ['meridian_jobs/__init__.py', 'meridian_jobs/sql/zones.sql', 'meridian_jobs/task.py'] zipped — ünïcode",
    );
  });

  test('the same code again is the same place; changed code is another, and the old stays for who started with it', async () => {
    const before = await uploadJobCode(s3, BUCKET, folder);
    expect(await uploadJobCode(s3, BUCKET, folder)).toBe(before);
    expect(await keys()).toHaveLength(2);

    write('meridian_jobs/sql/zones.sql', 'select 2');
    const after = await uploadJobCode(s3, BUCKET, folder);

    expect(after).not.toBe(before);
    expect(await keys()).toHaveLength(4);
  });

  test('what an interrupted upload left is completed', async () => {
    write('positions.py', 'print("third")');
    write('places.py', 'print("places")');
    let calls = 0;
    const breaking = new S3Client(aws.clientConfig);
    breaking.middlewareStack.add(
      (next) => (args) => {
        calls += 1;
        if (calls === 2) throw new Error('connection lost');
        return next(args);
      },
      { step: 'initialize' },
    );
    await expect(uploadJobCode(breaking, BUCKET, folder)).rejects.toThrow('connection lost');
    breaking.destroy();

    const prefix = (await uploadJobCode(s3, BUCKET, folder)).slice('s3://artifacts/'.length);

    expect((await keys()).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length + 1))).toEqual([
      'meridian_jobs.zip',
      'places.py',
      'positions.py',
    ]);
    expect((await bytes(`${prefix}/positions.py`)).toString()).toBe('print("third")');
  });
});

test('an archive depends on its entries alone: no clock is in it', () => {
  const entries = [{ name: 'a.py', content: Buffer.from('a') }];

  const first = zip(entries);
  jest.useFakeTimers({ now: Date.UTC(2030, 0, 1) });
  const later = zip(entries);
  jest.useRealTimers();

  expect(later.equals(first)).toBe(true);
});
