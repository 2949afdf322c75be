import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { Client } from '@temporalio/client';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils';
import { HISTORY_PREFIX } from '../worker/history-archive';
import { listExecutions } from '../worker/list-executions';
import type { FoundHistory } from '../worker/replay-histories';
import { UsageError } from './output';

/** Histories of a folder and of the folders in it: `temporal workflow show --output json`, recorded ones, or a copy of the archive. */
export async function* historiesOfFolder(folder: string): AsyncGenerator<FoundHistory> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new UsageError(`There is no folder ${folder}: --histories takes one with *.json or *.json.gz files`);
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.json(\.gz)?$/.test(name));
  for (const name of names.sort()) {
    const source = join(folder, name);
    yield parsed(source, await readFile(source));
  }
}

/**
 * Histories that the archive keeps.
 * @param since - `YYYY-MM-DD`, a day in UTC: of executions that closed then or later
 * @param pipeline - a pipeline, or the type of a workflow that belongs to none
 */
export async function* historiesOfArchive(s3: S3Client, bucket: string, { since = '', pipeline }: { readonly since?: string; readonly pipeline?: string }): AsyncGenerator<FoundHistory> {
  const folders = pipeline === undefined ? await foldersOf(s3, bucket) : [`${HISTORY_PREFIX}${encodeURIComponent(pipeline)}/`];
  for (const folder of folders) {
    let token: string | undefined;
    do {
      const page = await s3.send(
        // Days sort as they follow each other.
        new ListObjectsV2Command({ Bucket: bucket, Prefix: folder, StartAfter: `${folder}${since}`, ...(token === undefined ? {} : { ContinuationToken: token }) }),
      );
      for (const { Key } of page.Contents ?? []) {
        if (Key === undefined) continue;
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
        yield parsed(`s3://${bucket}/${Key}`, (await Body?.transformToByteArray()) ?? new Uint8Array());
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }
}

/** Histories as the namespace has them: of running executions too, as far as they have come. */
export async function* historiesOfNamespace(client: Client, query: string, limit: number): AsyncGenerator<FoundHistory> {
  let taken = 0;
  for await (const { workflowId, runId } of listExecutions(client, query)) {
    if (taken++ === limit) return;
    yield { source: `${workflowId}, run ${runId}`, history: await client.workflow.getHandle(workflowId, runId).fetchHistory() };
  }
}

async function foldersOf(s3: S3Client, bucket: string): Promise<readonly string[]> {
  const folders: string[] = [];
  let token: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: HISTORY_PREFIX, Delimiter: '/', ...(token === undefined ? {} : { ContinuationToken: token }) }),
    );
    folders.push(...(page.CommonPrefixes ?? []).flatMap(({ Prefix }) => (Prefix === undefined ? [] : [Prefix])));
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return folders;
}

function parsed(source: string, bytes: Uint8Array): FoundHistory {
  try {
    const json = source.endsWith('.gz') ? gunzipSync(bytes) : bytes;
    return { source, history: historyFromJSON(JSON.parse(Buffer.from(json).toString('utf8'))) };
  } catch (error) {
    throw new Error(`${source} is no history in JSON, as \`temporal workflow show --output json\` writes it: ${error instanceof Error ? error.name : String(error)}`);
  }
}
