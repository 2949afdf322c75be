import { readOwnerOnly } from './owner-only-file';

/** The keys that payloads are encrypted with. */
export interface PayloadKeys {
  /** Id of the key that encrypts; the others only decrypt what they once encrypted. */
  readonly active: string;
  /** 32 bytes each, by their id. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
}

/** Where the keys stand. Never an argument of a command: those are for every user of the machine to see. */
export const PAYLOAD_KEYS = 'MERIDIAN_PAYLOAD_KEYS';

const FORM = '{"active":"<id>","keys":{"<id>":"<base64 of 32 bytes>"}}';
const KEY_BYTES = 32;
const KEY_ID = /^[\w.-]{1,64}$/;

/**
 * The keys that `MERIDIAN_PAYLOAD_KEYS` names, or undefined where it is not set: then nothing is encrypted. Its value is the path of an
 * owner-only file or, as a secret manager injects it, the JSON itself.
 * @throws Error that says what is wrong with them, and never quotes them
 */
export function readPayloadKeys(env: Readonly<Record<string, string | undefined>>): PayloadKeys | undefined {
  const value = env[PAYLOAD_KEYS];
  if (value === undefined || value === '') return undefined;
  return parsePayloadKeys(value.trimStart().startsWith('{') ? value : readOwnerOnly(value, `Payload keys (${PAYLOAD_KEYS})`));
}

/** @throws Error that says what is wrong, and never quotes the keys */
export function parsePayloadKeys(json: string): PayloadKeys {
  const document = parsed(json);
  if (!isRecord(document) || typeof document['active'] !== 'string' || !isRecord(document['keys'])) throw malformed(`expected ${FORM}`);
  const { active, keys: encoded } = document as { readonly active: string; readonly keys: Record<string, unknown> };
  const keys = new Map<string, Uint8Array>();
  for (const [id, text] of Object.entries(encoded)) {
    if (!KEY_ID.test(id)) throw malformed('a key id must be 1 to 64 letters, digits, dots, hyphens or underscores');
    keys.set(id, keyBytes(id, text));
  }
  if (!keys.has(active)) throw malformed(`"active" names a key that is not among "keys" (${[...keys.keys()].join(', ') || 'none'})`);
  return { active, keys };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw malformed(`not valid JSON, expected ${FORM}`); // the parser's own message would quote the keys
  }
}

function keyBytes(id: string, text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  // Node skips what is not base64: a mistyped key must not become another one.
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== text) throw malformed(`key "${id}" is not the base64 of ${KEY_BYTES} bytes: \`openssl rand -base64 32\` makes one`);
  return bytes;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(what: string): Error {
  return new Error(`Payload keys (${PAYLOAD_KEYS}): ${what}`);
}
