import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import type { PayloadKeys } from './payload-keys';

/** The metadata of an encrypted payload: the names that Temporal's own samples use. */
const ENCODING = 'binary/encrypted';
const CIPHER = 'aes-256-gcm';
/** Part of the additional data: another layout gets another name, and neither can be taken for the other. */
const LAYOUT = 'meridian/1';
const IV_BYTES = 12;
const TAG_BYTES = 16;

const { Payload: PayloadMessage } = temporal.api.common.v1;

/** A payload that cannot or must not be decrypted. */
export class PayloadRefused extends Error {
  override readonly name = 'PayloadRefused';
}

/**
 * Encrypts each payload whole, its metadata with it, by AES-256-GCM under the active key. Key id and namespace are authenticated
 * with it: a payload of another namespace is refused like one that was changed. A payload that was never encrypted passes
 * `decode`, so that histories from before still replay.
 *
 * `data` is initialisation vector (12 bytes), tag (16 bytes), ciphertext. Vectors are random: replace a key long before it has
 * encrypted 2^32 payloads.
 * @param keys - undefined: nothing is encrypted, and what is encrypted is refused by name instead of misread
 * @param namespace - of the client, the worker or the request; all payloads of one belong to the same
 */
export function createPayloadCodec(keys: PayloadKeys | undefined, namespace: string): PayloadCodec {
  const keyOf = (id: string): Uint8Array => {
    const key = keys?.keys.get(id);
    if (key === undefined) {
      throw new PayloadRefused(
        `A payload was encrypted with key "${id}", which is not among the configured keys (${[...(keys?.keys.keys() ?? [])].join(', ') || 'none'}): ` +
          'add it to MERIDIAN_PAYLOAD_KEYS; a key may be removed only after the last history that it encrypted is gone',
      );
    }
    return key;
  };
  return {
    encode: async (payloads) => (keys === undefined ? payloads : payloads.map((payload) => encrypted(payload, keys.active, keyOf(keys.active), namespace))),
    decode: async (payloads) =>
      payloads.map((payload) => {
        if (text(payload.metadata?.['encoding']) !== ENCODING) return payload;
        const keyId = text(payload.metadata?.['encryption-key-id']);
        return decrypted(payload, keyId, keyOf(keyId), namespace);
      }),
  };
}

function encrypted(payload: Payload, keyId: string, key: Uint8Array, namespace: string): Payload {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(additionalData(keyId, namespace));
  const ciphertext = Buffer.concat([cipher.update(PayloadMessage.encode(payload).finish()), cipher.final()]);
  return {
    metadata: { encoding: Buffer.from(ENCODING), 'encryption-cipher': Buffer.from(CIPHER), 'encryption-key-id': Buffer.from(keyId) },
    data: Buffer.concat([iv, cipher.getAuthTag(), ciphertext]),
  };
}

function decrypted(payload: Payload, keyId: string, key: Uint8Array, namespace: string): Payload {
  const data = Buffer.from(payload.data ?? []);
  const refused = (what: string) =>
    new PayloadRefused(
      `A payload encrypted with key "${keyId}" was refused: ${what}. Either it was changed on its way, or it belongs to another namespace ` +
        `than "${namespace}", or "${keyId}" is another key here than where it was encrypted: compare MERIDIAN_PAYLOAD_KEYS of both`,
    );
  if (data.length < IV_BYTES + TAG_BYTES) throw refused(`expected at least ${IV_BYTES + TAG_BYTES} bytes, found ${data.length}`);
  try {
    const decipher = createDecipheriv(CIPHER, key, data.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(additionalData(keyId, namespace))
      .setAuthTag(data.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const plain = Buffer.concat([decipher.update(data.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    const { metadata, data: inner } = PayloadMessage.decode(plain);
    return { metadata, data: inner };
  } catch {
    throw refused('its authentication tag does not match');
  }
}

function additionalData(keyId: string, namespace: string): Buffer {
  return Buffer.from(JSON.stringify([LAYOUT, keyId, namespace]));
}

function text(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
