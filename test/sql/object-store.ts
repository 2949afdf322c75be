import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, request, type Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

const HOST = '127.0.0.1';
export const BUCKET = 'refined';

/** An S3 of the test file's own: the emulator, and a way to meddle with what it answers. */
export interface ObjectStore {
  readonly s3: S3Client;
  /** A client whose GetObject bodies pass through `meddle` first. */
  meddledClient(meddle: Meddle): Promise<S3Client>;
  stop(): Promise<void>;
}

/** `cut` ends the connection after half of the body, `stall` sends no more from there, `flip` changes one byte of it. */
export type Meddle = (path: string) => 'cut' | 'stall' | 'flip' | 'short' | undefined;

/** Starts the emulator with one bucket; the Python that has it is the test environment's. */
export async function startObjectStore(): Promise<ObjectStore> {
  const home = mkdtempSync(join(tmpdir(), 'meridian-s3-'));
  const port = await freePort();
  const server = spawn(process.env['MERIDIAN_TEST_PYTHON'] ?? 'python3', ['-m', 'ministack'], {
    cwd: home,
    env: { ...process.env, BIND_HOST: HOST, GATEWAY_PORT: String(port), PERSIST_STATE: '0', IOT_MTLS_ENABLED: 'false' },
    stdio: 'ignore',
  });
  const killServer = () => void server.kill('SIGKILL');
  process.once('exit', killServer);
  const endpoint = `http://${HOST}:${port}`;
  await waitForHealth(`${endpoint}/_ministack/health`, () => server.exitCode !== null);
  const s3 = clientOf(endpoint);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const proxies: Server[] = [];
  return {
    s3,
    async meddledClient(meddle) {
      const proxy = createMeddler(port, meddle);
      proxies.push(proxy);
      await new Promise<void>((listening) => proxy.listen(0, HOST, listening));
      return clientOf(`http://${HOST}:${(proxy.address() as AddressInfo).port}`);
    },
    async stop() {
      process.removeListener('exit', killServer);
      for (const proxy of proxies) {
        proxy.closeAllConnections();
        proxy.close();
      }
      s3.destroy();
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGTERM');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function clientOf(endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
    // Without one the SDK finds nothing to compare a body with: the guard under test is ours.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
}

function createMeddler(port: number, meddle: Meddle): Server {
  return createHttpServer((incoming, outgoing) => {
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

async function waitForHealth(url: string, ended: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (ended()) throw new Error('The S3 emulator did not start: MERIDIAN_TEST_PYTHON must name a Python that has ministack');
    const healthy = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return;
    if (Date.now() > deadline) throw new Error(`The S3 emulator did not answer at ${url} within 60 s`);
    await sleep(50);
  }
}

async function freePort(): Promise<number> {
  return await new Promise((resolve) => {
    const probe = createServer().listen(0, HOST, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
