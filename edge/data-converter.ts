import { join } from 'node:path';
import type { DataConverter } from '@temporalio/common';
import { createPayloadCodec } from './payload-codec';
import type { PayloadKeys } from './payload-keys';

/** For the workflow bundle too: a workflow's own failures are converted inside it. */
const FAILURE_CONVERTER_PATH = join(__dirname, 'failure-converter.ts');

/**
 * What `Worker.create`, `Client` and `Worker.runReplayHistories` take as `dataConverter`, so that payloads and failures are encrypted
 * on their way out and decrypted on their way in. Without keys Temporal keeps them in clear.
 */
export function encryptingDataConverter(keys: PayloadKeys | undefined, namespace: string): DataConverter {
  const payloadCodecs = [createPayloadCodec(keys, namespace)];
  return keys === undefined ? { payloadCodecs } : { payloadCodecs, failureConverterPath: FAILURE_CONVERTER_PATH };
}
