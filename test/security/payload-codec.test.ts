import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Payload, defaultPayloadConverter } from '@temporalio/common';
import fc from 'fast-check';
import { failureConverter } from '../../edge/failure-converter';
import { createPayloadCodec } from '../../edge/payload-codec';
import { payloadsFromJson, payloadsToJson } from '../../edge/payload-json';
import { parsePayloadKeys, readPayloadKeys } from '../../edge/payload-keys';
import { keyring } from './keyring';

const secret = 'speed of flight 4242';
const payload = defaultPayloadConverter.toPayload({ note: secret });
const old = createPayloadCodec(keyring('2026-10', '2026-10'), 'prod');
const rotated = createPayloadCodec(keyring('2026-11', '2026-10', '2026-11'), 'prod');

async function encrypt(codec = old, plain: Payload = payload): Promise<Payload> {
  const [encrypted] = await codec.encode([plain]);
  if (encrypted === undefined) throw new Error('nothing was encoded');
  return encrypted;
}

const plainText = (value: Payload) => Buffer.from(value.data ?? []).toString('latin1');

test('a payload comes back as it was, its metadata with it, and nothing of it shows in between', async () => {
  const encrypted = await encrypt();

  expect(plainText(encrypted)).not.toContain(secret);
  expect(payloadsToJson([encrypted])).not.toContain(Buffer.from('json/plain').toString('base64'));
  expect(defaultPayloadConverter.fromPayload((await old.decode([encrypted]))[0] ?? {})).toEqual({ note: secret });
});

test('whatever the bytes and the metadata, they come back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.uint8Array({ maxLength: 8 })), async (data, metadata) => {
      const [back] = await rotated.decode(payloadsFromJson(payloadsToJson(await rotated.encode([{ data, metadata }]))));

      expect(Buffer.from(back?.data ?? [])).toEqual(Buffer.from(data));
      expect(Object.entries(back?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value ?? [])])).toEqual(
        Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value)]),
      );
    }),
    { numRuns: 100 },
  );
});

test('equal payloads are encrypted differently: a history does not show that two values agree', async () => {
  expect(plainText(await encrypt())).not.toBe(plainText(await encrypt()));
});

test('after a rotation new payloads take the new key, and the old ones are still read', async () => {
  const before = await encrypt(old);
  const after = await encrypt(rotated);

  expect(Buffer.from(after.metadata?.['encryption-key-id'] ?? []).toString()).toBe('2026-11');
  expect(await rotated.decode([before, after])).toHaveLength(2);
  await expect(old.decode([after])).rejects.toThrow(/key "2026-11", which is not among the configured keys \(2026-10\): add it to MERIDIAN_PAYLOAD_KEYS/);
});

test('without keys an encrypted payload is refused by its key id, and a plain one is read', async () => {
  const none = createPayloadCodec(undefined, 'prod');

  await expect(none.decode([await encrypt()])).rejects.toThrow(/key "2026-10", which is not among the configured keys \(none\)/);
  expect(await none.decode([payload])).toEqual([payload]);
  expect(await none.encode([payload])).toEqual([payload]);
});

test('a plain payload of an older history is read, but never written', async () => {
  expect(await rotated.decode([payload])).toEqual([payload]);
  expect(plainText(await encrypt(rotated, payload))).not.toContain(secret);
});

test('every changed byte, a lost tag, another key id and another namespace are refused, with what to do', async () => {
  const encrypted = await encrypt(rotated);
  const data = Buffer.from(encrypted.data ?? []);
  const forged: Payload[] = [
    ...[...data.keys()].map((index) => ({ ...encrypted, data: Buffer.from(data.map((byte, at) => (at === index ? byte ^ 1 : byte))) })),
    { ...encrypted, data: Buffer.concat([data.subarray(0, 12), data.subarray(28)]) }, // its tag is gone
    { ...encrypted, data: data.subarray(0, 20) },
    { ...encrypted, data: Buffer.alloc(0) },
    { ...encrypted, metadata: { ...encrypted.metadata, 'encryption-key-id': Buffer.from('2026-10') } },
  ];

  for (const each of forged) await expect(rotated.decode([each])).rejects.toThrow(/A payload encrypted with key "2026-1[01]" was refused: .*compare MERIDIAN_PAYLOAD_KEYS/);
  await expect(createPayloadCodec(keyring('2026-11', '2026-10', '2026-11'), 'test').decode([encrypted])).rejects.toThrow(/another namespace than "test"/);
});

test('a key id is bound by more than the key: two ids with the same bytes are not the same key', async () => {
  const twins = createPayloadCodec({ active: 'a', keys: new Map([['a', Buffer.alloc(32, 7)], ['b', Buffer.alloc(32, 7)]]) }, 'prod');
  const encrypted = await encrypt(twins);

  await expect(twins.decode([{ ...encrypted, metadata: { ...encrypted.metadata, 'encryption-key-id': Buffer.from('b') } }])).rejects.toThrow(/tag does not match/);
});

test('message and stack trace of a failure stand in a payload, which the codec encrypts', () => {
  const failure = failureConverter.errorToFailure(new Error(secret), defaultPayloadConverter);

  expect({ ...failure, encodedAttributes: undefined }).toEqual(expect.objectContaining({ message: 'Encoded failure', stackTrace: '' }));
  expect(JSON.stringify({ ...failure, encodedAttributes: undefined })).not.toContain(secret);
  expect(failureConverter.failureToError(failure, defaultPayloadConverter).message).toBe(secret);
});

describe('payload keys', () => {
  const key = randomBytes(32).toString('base64');
  const json = JSON.stringify({ active: 'k1', keys: { k1: key } });
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'meridian-keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('are read from a file of their owner alone, or from the JSON that a secret manager injects', () => {
    const file = join(folder, 'keys.json');
    writeFileSync(file, json, { mode: 0o600 });

    expect(readPayloadKeys({ MERIDIAN_PAYLOAD_KEYS: file })).toEqual(readPayloadKeys({ MERIDIAN_PAYLOAD_KEYS: json }));
    expect(readPayloadKeys({})).toBeUndefined();
    expect(readPayloadKeys({ MERIDIAN_PAYLOAD_KEYS: '' })).toBeUndefined();
  });

  test.each([0o640, 0o604, 0o660, 0o644])('a file that others may read or write is refused: mode %o', (mode) => {
    const file = join(folder, 'keys.json');
    writeFileSync(file, json);
    chmodSync(file, mode);

    expect(() => readPayloadKeys({ MERIDIAN_PAYLOAD_KEYS: file })).toThrow(new RegExp(`mode ${mode.toString(8)}, expected 600: .chmod 600`));
  });

  test('a missing file and a folder are named', () => {
    expect(() => readPayloadKeys({ MERIDIAN_PAYLOAD_KEYS: join(folder, 'none') })).toThrow(/MERIDIAN_PAYLOAD_KEYS.*none cannot be read \(ENOENT\)/);
    expect(() => readPayloadKeys({ MERIDIAN_PAYLOAD_KEYS: folder })).toThrow(/is no regular file/);
  });

  test.each([
    ['half a document', json.slice(0, -4)],
    ['an active key that is not there', JSON.stringify({ active: 'k2', keys: { k1: key } })],
    ['a key of 16 bytes', JSON.stringify({ active: 'k1', keys: { k1: randomBytes(16).toString('base64') } })],
    ['a key with a letter that is no base64', JSON.stringify({ active: 'k1', keys: { k1: `*${key}` } })],
    ['a key that is no text', JSON.stringify({ active: 'k1', keys: { k1: [key] } })],
    ['no keys', JSON.stringify({ active: 'k1', keys: {} })],
    ['another document', JSON.stringify([key])],
    ['an id with a line break', JSON.stringify({ active: 'k\n1', keys: { 'k\n1': key } })],
  ])('%s is refused, and the key is not quoted', (_what, document) => {
    const attempt = () => parsePayloadKeys(document);

    expect(attempt).toThrow(/^Payload keys \(MERIDIAN_PAYLOAD_KEYS\): /);
    expect(attempt).not.toThrow(key.slice(4, 12));
  });
});
