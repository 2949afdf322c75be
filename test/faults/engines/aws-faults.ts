import { setTimeout as sleep } from 'node:timers/promises';
import type { AwsCall, AwsExchange, AwsResponse } from './aws-proxy';

/** What may happen to one request between an SDK and AWS. */
export type AwsFault = (exchange: AwsExchange) => Promise<void>;

/** An error as the service writes it; the request took no effect. */
export function refusedWith(status: number, code: string): AwsFault {
  return (exchange) => exchange.reply(errorResponse(exchange.call, status, code));
}

/** The request never arrives. */
export const cutBefore: AwsFault = (exchange) => Promise.resolve(exchange.cut());

/** The request took effect; its answer is lost. */
export const lostResponse: AwsFault = async (exchange) => {
  await exchange.forward();
  exchange.cut();
};

/** It took effect, yet the service answers 500: as after a time-out inside of it. */
export const failedAfterEffect: AwsFault = async (exchange) => {
  await exchange.forward();
  await exchange.reply(errorResponse(exchange.call, 500, 'InternalServerError'));
};

/** The connection stays open and nothing comes, for `ms`; then it breaks. */
export function silent(ms: number): AwsFault {
  return async (exchange) => {
    await sleep(ms);
    exchange.cut();
  };
}

/** Half of the body comes, then nothing for `ms`. */
export function stalledBody(ms: number): AwsFault {
  return async (exchange) => {
    const response = await exchange.forward();
    const half = Math.floor(response.body.length / 2);
    const stalled = { ...response, body: response.body.subarray(0, half), headers: { ...response.headers, 'content-length': String(response.body.length) } };
    void exchange.reply(stalled);
    await sleep(ms);
    exchange.cut();
  };
}

/** Half of the body, the connection broken. */
export const brokenBody: AwsFault = async (exchange) => {
  const response = await exchange.forward();
  await exchange.reply({ ...response, headers: { ...response.headers, 'content-length': String(response.body.length) } }, Math.floor(response.body.length / 2));
};

/** Half of the body, with a length that says that this is all of it. */
export function truncatedBody(checksum: 'kept' | 'dropped'): AwsFault {
  return altered(checksum, (body) => body.subarray(0, Math.floor(body.length / 2)));
}

/** One byte in the middle is another. */
export function corruptBody(checksum: 'kept' | 'dropped'): AwsFault {
  return altered(checksum, (body) => {
    const copy = Buffer.from(body);
    const middle = Math.floor(copy.length / 2);
    if (copy.length > 0) copy[middle] = (copy[middle] ?? 0) ^ 0x55;
    return copy;
  });
}

/** Another ETag than the object has. */
export const wrongEtag: AwsFault = async (exchange) => {
  const response = await exchange.forward();
  await exchange.reply({ ...response, headers: { ...response.headers, etag: '"00000000000000000000000000000000"' } });
};

/** DynamoDB takes the batch but for its last item or key, which it hands back; on one item it takes none. */
export const unprocessedItems: AwsFault = async (exchange) => {
  const { call } = exchange;
  const requested = (JSON.parse(call.body.toString('utf8')) as { readonly RequestItems?: unknown }).RequestItems ?? {};
  const reply = call.operation === 'BatchGetItem' ? { Responses: {}, UnprocessedKeys: requested } : { UnprocessedItems: requested };
  await exchange.reply(jsonResponse(200, reply));
};

/** Another transaction holds an item. */
export const transactionConflict: AwsFault = async (exchange) => {
  const items = (JSON.parse(exchange.call.body.toString('utf8')) as { readonly TransactItems?: readonly unknown[] }).TransactItems ?? [];
  await exchange.reply(
    jsonResponse(400, {
      __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
      message: 'Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]',
      CancellationReasons: items.map((_, index) => (index === 0 ? { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' } : { Code: 'None' })),
    }),
  );
};

/** `during` happens at `moment` of the request, which then goes on, or is broken off. */
export function meanwhile(moment: 'before' | 'after' | 'acknowledged', during: () => Promise<void>): AwsFault {
  return async (exchange) => {
    if (moment === 'before') await during();
    const response = await exchange.forward();
    if (moment === 'after') await during();
    await exchange.reply(response);
    if (moment === 'acknowledged') await during();
  };
}

function altered(checksum: 'kept' | 'dropped', alter: (body: Buffer) => Buffer): AwsFault {
  return async (exchange) => {
    const response = await exchange.forward();
    const headers = Object.fromEntries(
      Object.entries(response.headers).filter(([name]) => name !== 'content-length' && (checksum === 'kept' || !name.startsWith('x-amz-checksum'))),
    );
    await exchange.reply({ ...response, headers, body: alter(response.body) });
  };
}

function jsonResponse(status: number, document: unknown): AwsResponse {
  return { status, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: Buffer.from(JSON.stringify(document)) };
}

/** In the protocol of the service: REST XML, query XML, or JSON. */
function errorResponse(call: AwsCall, status: number, code: string): AwsResponse {
  const message = 'injected by the fault harness';
  if (call.service === 's3') {
    const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
    return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
  }
  if (call.service === 'sns') {
    const body = `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`;
    return { status, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
  }
  const response = jsonResponse(status, { __type: code, message });
  return { ...response, headers: { ...response.headers, 'x-amzn-errortype': code } };
}
