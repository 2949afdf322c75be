import type { Payload } from '@temporalio/common';

/** A payload in Protobuf's JSON: bytes are base64. */
interface PayloadJson {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

/**
 * The payloads of a codec server's request or response, `{"payloads":[…]}`.
 * @throws SyntaxError that does not quote them
 */
export function payloadsFromJson(json: string): Payload[] {
  const { payloads } = parsed(json);
  if (!Array.isArray(payloads) || !payloads.every(isPayloadJson)) throw malformed();
  return payloads.map(({ metadata = {}, data = '' }) => ({
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
    data: Buffer.from(data, 'base64'),
  }));
}

/** The inverse. */
export function payloadsToJson(payloads: readonly Payload[]): string {
  return JSON.stringify({
    payloads: payloads.map(({ metadata, data }): PayloadJson => ({
      metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])),
      data: base64(data),
    })),
  });
}

function parsed(json: string): { readonly payloads?: unknown } {
  try {
    return (JSON.parse(json) as { readonly payloads?: unknown } | null) ?? {};
  } catch {
    throw malformed(); // the parser's own message would quote the body
  }
}

function isPayloadJson(value: unknown): value is PayloadJson {
  if (typeof value !== 'object' || value === null) return false;
  const { metadata = {}, data = '' } = value as { readonly metadata?: unknown; readonly data?: unknown };
  return typeof data === 'string' && typeof metadata === 'object' && metadata !== null && Object.values(metadata).every((each) => typeof each === 'string');
}

function base64(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64');
}

function malformed(): SyntaxError {
  return new SyntaxError('expected a JSON document {"payloads":[{"metadata":{"<name>":"<base64>"},"data":"<base64>"}]}');
}
