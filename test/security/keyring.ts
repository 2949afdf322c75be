import { createHash } from 'node:crypto';
import type { PayloadKeys } from '../../edge/payload-keys';

/** Keys by their ids, the same in every process: a key is the hash of its id. */
export function keyring(active: string, ...ids: readonly string[]): PayloadKeys {
  return { active, keys: new Map(ids.map((id) => [id, createHash('sha256').update(id).digest()])) };
}

/** The same as MERIDIAN_PAYLOAD_KEYS takes it. */
export function keyringJson({ active, keys }: PayloadKeys): string {
  return JSON.stringify({ active, keys: Object.fromEntries([...keys].map(([id, key]) => [id, Buffer.from(key).toString('base64')])) });
}
