import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';

const LAST_LINES = 8;
const MAX_LINE_CHARACTERS = 500;
/** Lines worth showing first: what a Python or JVM program says when it gives up. */
const ERROR_LINE = /(Error|Exception|Traceback|Caused by|FAILED|refused|denied)/;

/** Texts in quotes but for a source file's name, decimals, and numbers as long as a moment in time: what a record's value would look like. */
const VALUES = /(?<!File )("[^"]*"|(?<![\p{L}])'[^']*')|(?<![\d.])-?\d+\.\d+(?!\.?\d)|\d{9,}/gu;

/**
 * What a failure may say of a job: a message may quote a record, and a reason goes into histories and notifications. The whole text is
 * in the log, for those who may read the bucket.
 */
export function withoutValues(text: string): string {
  return text.replace(VALUES, '…');
}

/**
 * Where a run's driver logs are, and their last telling lines; an unreadable log says so in a line instead of hiding the failure
 * that it should explain. Spark sends a Python driver's traceback to stdout, the JVM's own errors go to stderr: both are read.
 * @see EMR Serverless, "Storing logs", for the path
 */
export async function driverErrorLines(
  s3: S3Client,
  bucket: string,
  applicationId: string,
  jobRunId: string,
): Promise<{ uri: string; lines: readonly string[] }> {
  const folder = `logs/applications/${applicationId}/jobs/${jobRunId}/SPARK_DRIVER`;
  const streams = await Promise.all(['stdout', 'stderr'].map((stream) => lastLines(s3, bucket, `${folder}/${stream}.gz`)));
  return { uri: `s3://${bucket}/${folder}/`, lines: streams.flat() };
}

async function lastLines(s3: S3Client, bucket: string, key: string): Promise<readonly string[]> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const text = gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array()).toString('utf8');
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    const telling = lines.filter((line) => ERROR_LINE.test(line));
    return (telling.length > 0 ? telling : lines).slice(-LAST_LINES).map((line) => withoutValues(line).slice(0, MAX_LINE_CHARACTERS));
  } catch (error) {
    return [`(${key} could not be read: ${error instanceof Error ? error.message : String(error)})`];
  }
}
