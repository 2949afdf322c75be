import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { join } from 'node:path';
import { hashFiles, type SourceFile, sourceFiles } from './sources';
import { zip } from './zip';

const JOBS = join(__dirname, '..', '..', 'jobs');
const PACKAGE = 'meridian_jobs';

/**
 * Puts the scripts of `jobs/` and their package at `jobs/<content hash>/` of the bucket. Idempotent by that hash: a running
 * cycle keeps the code that it started with, and the same code again is not sent.
 * @param folder - the scripts and the folder `meridian_jobs`
 * @returns `s3://<bucket>/jobs/<content hash>`
 */
export async function uploadJobCode(s3: S3Client, bucket: string, folder: string = JOBS): Promise<string> {
  const scripts = sourceFiles(folder, '.py').filter(({ name }) => !name.includes('/'));
  const library = sourceFiles(join(folder, PACKAGE), '').map(({ name, content }) => ({
    name: `${PACKAGE}/${name}`,
    content,
  }));
  const prefix = `jobs/${hashFiles([...scripts, ...library])}`;
  for (const script of scripts) await putOnce(s3, bucket, `${prefix}/${script.name}`, script.content);
  await putOnce(s3, bucket, `${prefix}/${PACKAGE}.zip`, zip(library));
  return `s3://${bucket}/${prefix}`;
}

async function putOnce(s3: S3Client, bucket: string, key: string, content: SourceFile['content']): Promise<void> {
  try {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, IfNoneMatch: '*' }));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'PreconditionFailed') throw error;
  }
}
