import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { startLocalAws } from '../support/local-aws';

const HOST = '127.0.0.1';
export const BUCKET = 'refined';

/** An S3 of the test file's own, and a way to meddle with what it answers. */
export interface ObjectStore {
  readonly s3: S3Client;
  /** A client whose GetObject bodies pass through `meddle` first. */
  meddledClient(meddle: Meddle): Promise<S3Client>;
  stop(): Promise<void>;
}

/** `cut` ends the connection after half of the body, `short` the body, `stall` sends no more from there, `flip` changes a byte. */
export type Meddle = (path: string) => 'cut' | 'stall' | 'flip' | 'short' | undefined;

/** Starts the local AWS with one bucket. @param sdkChecks - as the product's clients: the SDK compares S3's own checksums */
export async function startObjectStore({ sdkChecks = false } = {}): Promise<ObjectStore> {
  const aws = await startLocalAws();
  const clientOf = (endpoint: string) => {
    const config: S3ClientConfig = {
      ...aws.clientConfig,
      endpoint,
      maxAttempts: 1,
      // Without one the SDK finds nothing to compare a body with: the guard under test is ours.
      ...(sdkChecks ? {} : { responseChecksumValidation: 'WHEN_REQUIRED', requestChecksumCalculation: 'WHEN_REQUIRED' }),
    };
    return new S3Client(config);
  };
  const s3 = clientOf(aws.endpoint);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const proxies: Server[] = [];
  return {
    s3,
    async meddledClient(meddle) {
      const proxy = createMeddler(aws.port, meddle);
      proxies.push(proxy);
      await new Promise<void>((listening) => proxy.listen(0, HOST, listening));
      return clientOf(`http://${HOST}:${(proxy.address() as AddressInfo).port}`);
    },
    async stop() {
      for (const proxy of proxies) {
        proxy.closeAllConnections();
        proxy.close();
      }
      s3.destroy();
      await aws.stop();
    },
  };
}

function createMeddler(port: number, meddle: Meddle): Server {
  return createServer((incoming, outgoing) => {
    const forwarded = request({ host: HOST, port, path: incoming.url, method: incoming.method, headers: incoming.headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const body = Buffer.concat(chunks);
        const how = incoming.method === 'GET' ? meddle(incoming.url ?? '') : undefined;
        const half = Math.floor(body.length / 2);
        const length = how === 'short' ? half : body.length;
        outgoing.writeHead(answer.statusCode ?? 500, { ...answer.headers, 'content-length': String(length) });
        if (how === undefined) outgoing.end(body);
        else if (how === 'short') outgoing.end(body.subarray(0, half));
        else if (how === 'stall') outgoing.write(body.subarray(0, half));
        else if (how === 'cut') outgoing.write(body.subarray(0, half), () => outgoing.destroy());
        else outgoing.end(flipped(body, body.length - 10));
      });
    });
    incoming.pipe(forwarded);
  });
}

function flipped(body: Buffer, at: number): Buffer {
  const copy = Buffer.from(body);
  copy[at] = (copy[at] ?? 0) ^ 0x01;
  return copy;
}
