import { randomUUID } from 'node:crypto';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { Client } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import type { Activities } from '../../activities';
import { encryptingDataConverter } from '../../edge/data-converter';
import { createPayloadCodec } from '../../edge/payload-codec';
import { payloadsFromJson } from '../../edge/payload-json';
import type { PayloadKeys } from '../../edge/payload-keys';
import { workflowBundle } from '../../worker/bundle';
import { FailureInterceptor } from '../../worker/failure-interceptor';
import { BUNDLE_CACHE } from '../support/worker';

/** A worker with the product's own settings for payloads, and a client that has the same keys. */
export interface EncryptedWorker {
  readonly taskQueue: string;
  readonly client: Client;
}

/** Runs `use` beside a worker with these keys; stops the worker however it ends. */
export async function withEncryptedWorker<T>(
  environment: TestWorkflowEnvironment,
  keys: PayloadKeys | undefined,
  activities: Activities,
  use: (worker: EncryptedWorker) => Promise<T>,
  taskQueue = `test-${randomUUID()}`,
): Promise<T> {
  const dataConverter = encryptingDataConverter(keys, NAMESPACE);
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue,
    activities,
    dataConverter,
    workflowBundle: await workflowBundle(BUNDLE_CACHE, dataConverter),
    maxHeartbeatThrottleInterval: '200 milliseconds',
    interceptors: { activity: [() => ({ inbound: new FailureInterceptor() })] },
  });
  return worker.runUntil(() => use({ taskQueue, client: clientWith(environment, keys) }));
}

/** The dev server's. */
export const NAMESPACE = 'default';

export function clientWith(environment: TestWorkflowEnvironment, keys: PayloadKeys | undefined): Client {
  return new Client({ connection: environment.connection, namespace: NAMESPACE, dataConverter: encryptingDataConverter(keys, NAMESPACE) });
}

/**
 * A history as the server keeps it, everything that is base64 in it also decoded: what someone can read who has the database of
 * Temporal and no key.
 */
export async function readableHistory(environment: TestWorkflowEnvironment, workflowId: string): Promise<string> {
  const json = historyToJSON(await environment.client.workflow.getHandle(workflowId).fetchHistory());
  return withDecodedBase64(json);
}

/** Where in a history payloads stand that are not encrypted: the paths to them, each once. */
export async function payloadsInClear(environment: TestWorkflowEnvironment, workflowId: string): Promise<readonly string[]> {
  const history = JSON.parse(historyToJSON(await environment.client.workflow.getHandle(workflowId).fetchHistory())) as { readonly events: unknown };
  return [...new Set(payloadPaths(history.events, ''))].sort();
}

function payloadPaths(value: unknown, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { metadata } = value as { readonly metadata?: { readonly encoding?: unknown } };
  if (typeof metadata?.encoding === 'string') return Buffer.from(metadata.encoding, 'base64').toString() === 'binary/encrypted' ? [] : [path];
  return Object.entries(value).flatMap(([name, child]) => payloadPaths(child, Array.isArray(value) ? path : `${path}/${name}`));
}

/** A history with every payload decrypted, then as text: what someone reads who has the keys. */
export async function decryptedHistory(client: Client, workflowId: string, runId: string, keys: PayloadKeys): Promise<string> {
  const history = JSON.parse(historyToJSON(await client.workflow.getHandle(workflowId, runId).fetchHistory())) as unknown;
  const texts: string[] = [JSON.stringify(history)];
  const codec = createPayloadCodec(keys, NAMESPACE);
  for (const payload of encryptedPayloads(history)) {
    const [plain] = await codec.decode(payloadsFromJson(JSON.stringify({ payloads: [payload] })));
    texts.push(Buffer.from(plain?.data ?? []).toString('utf8'));
  }
  return withDecodedBase64(texts.join('\n'));
}

function encryptedPayloads(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const { metadata } = value as { readonly metadata?: { readonly 'encryption-key-id'?: unknown } };
  return metadata?.['encryption-key-id'] === undefined ? Object.values(value).flatMap(encryptedPayloads) : [value];
}

/** The text, and each of its words that can be base64 as the text that it stands for. */
export function withDecodedBase64(text: string): string {
  const decoded = (text.match(/[A-Za-z0-9+/]{8,}={0,2}/g) ?? []).map((word) => Buffer.from(word, 'base64').toString('utf8'));
  return [text, ...decoded].join('\n');
}
