import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import type { BatchDependencies } from '../../../activities/batches';
import type { LedgerDependencies } from '../../../activities/ledger';
import { type LocalAws, startLocalAws } from '../../support/local-aws';

const MEMORY_MB = 512;

export type Deps = BatchDependencies &
  LedgerDependencies & { readonly buckets: Record<'raw' | 'storage' | 'refined' | 'quarantine' | 'artifacts', string> };

/** Buckets, tables and clients of one test's own on a running emulator. */
export interface LedgerStack {
  readonly deps: Deps;
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  /** For clients of another process. */
  readonly clientConfig: LocalAws['clientConfig'];
  /** The emulator's process. */
  awsPid(): number;
  /** Another set of empty buckets and tables on the same emulator. */
  fresh(): Promise<Deps>;
  stop(): Promise<void>;
}

export async function startLedgerStack(): Promise<LedgerStack> {
  const aws = await startLocalAws();
  const s3 = new S3Client(aws.clientConfig);
  const dynamodb = new DynamoDBClient(aws.clientConfig);
  const workDir = await mkdtemp(join(tmpdir(), 'meridian-dedup-'));
  const fresh = async () => {
    const id = randomUUID().slice(0, 8);
    const buckets = {
      raw: `raw-${id}`,
      storage: `storage-${id}`,
      refined: `refined-${id}`,
      quarantine: `quarantine-${id}`,
      artifacts: `artifacts-${id}`,
    };
    for (const Bucket of Object.values(buckets)) await s3.send(new CreateBucketCommand({ Bucket }));
    await s3.send(
      new PutBucketVersioningCommand({ Bucket: buckets.raw, VersioningConfiguration: { Status: 'Enabled' } }),
    );
    const [ledgerTable, objectsTable] = [`ledger-${id}`, `objects-${id}`];
    for (const TableName of [ledgerTable, objectsTable]) {
      await dynamodb.send(
        new CreateTableCommand({
          TableName,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
          KeySchema: [
            { AttributeName: 'pk', KeyType: 'HASH' },
            { AttributeName: 'sk', KeyType: 'RANGE' },
          ],
        }),
      );
    }
    return { s3, dynamodb, buckets, ledgerTable, objectsTable, workDir: join(workDir, id), duckdbMemoryMb: MEMORY_MB };
  };
  return {
    deps: await fresh(),
    s3,
    dynamodb,
    clientConfig: aws.clientConfig,
    awsPid: () => aws.pid(),
    fresh,
    async stop() {
      s3.destroy();
      dynamodb.destroy();
      await aws.stop();
      await rm(workDir, { recursive: true, force: true });
    },
  };
}
