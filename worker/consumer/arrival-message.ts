import { instantMs } from '../../domain/data-interval';
import type { ArrivedObject } from '../../domain/inbox';

/** What a message of the event queue says: objects that were created, in which bucket each. */
export interface Arrival extends ArrivedObject {
  readonly bucket: string;
}

/** A message that is none of ours, or was cut on its way: never deleted, so that its redrive keeps it for a person. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a message of the event queue: an EventBridge event, or S3's own notification, as it is (raw delivery) or in the envelope of SNS.
 * S3 URL-encodes keys in its own notifications, with `+` for a space, and in events of EventBridge leaves them as they are.
 * @returns nothing for what tells of no new object, such as S3's test of its configuration
 * @throws MalformedMessage that names what is missing, never what a message holds
 */
export function readArrivals(body: string): readonly Arrival[] {
  const message = parsed(body, 'the message');
  const event = message['Type'] === 'Notification' && typeof message['Message'] === 'string' ? parsed(message['Message'], 'the envelope of SNS') : message;
  if (Array.isArray(event['Records'])) return event['Records'].map((record) => s3Record(fields(record, 'Records[]'))).filter((each) => each !== undefined);
  if (event['Event'] === 's3:TestEvent') return [];
  if (event['detail-type'] === undefined) throw new MalformedMessage('expected "detail-type" of an event, or "Records" of a notification: found neither');
  if (event['detail-type'] !== 'Object Created') return [];
  const detail = fields(event['detail'], 'detail');
  const object = fields(detail['object'], 'detail.object');
  return [
    arrival(fields(detail['bucket'], 'detail.bucket')['name'], event['time'], object['key'], {
      ...object,
      versionId: object['version-id'],
    }),
  ];
}

function s3Record(record: Fields): Arrival | undefined {
  if (typeof record['eventName'] === 'string' && !record['eventName'].includes('ObjectCreated')) return undefined;
  const s3 = fields(record['s3'], 's3');
  const object = fields(s3['object'], 's3.object');
  return arrival(fields(s3['bucket'], 's3.bucket')['name'], record['eventTime'], decoded(object['key']), { ...object, etag: object['eTag'] });
}

function arrival(bucket: unknown, time: unknown, key: unknown, { size, etag, versionId, sequencer }: Fields): Arrival {
  const wanted = { bucket, key, etag, sequencer, time };
  const missing = Object.entries(wanted).flatMap(([name, value]) => (typeof value === 'string' && value !== '' ? [] : [name]));
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) missing.push('size');
  if (typeof time === 'string' && instantMs(time) === undefined) missing.push('an instant as its time');
  if (missing.length > 0) throw new MalformedMessage(`an event of a new object lacks ${missing.join(', ')}`);
  return {
    ...(wanted as { readonly bucket: string; readonly key: string; readonly etag: string; readonly sequencer: string }),
    ...(typeof versionId === 'string' ? { versionId } : {}),
    sizeBytes: Number(size),
    eventTime: String(time),
  };
}

function decoded(key: unknown): string {
  try {
    return decodeURIComponent(String(key).replaceAll('+', ' '));
  } catch {
    throw new MalformedMessage('the key of a notification is not URL-encoded');
  }
}

function parsed(text: string, what: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedMessage(`${what} is not JSON`);
  }
  return fields(value, what);
}

function fields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new MalformedMessage(`${what} is not an object`);
}
