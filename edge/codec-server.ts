import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createPayloadCodec, PayloadRefused } from './payload-codec';
import { payloadsFromJson, payloadsToJson } from './payload-json';
import type { PayloadKeys } from './payload-keys';

export interface CodecServerOptions {
  readonly keys: PayloadKeys;
  /** Payloads of another one are refused. */
  readonly namespace: string;
  /** What a request must bring as `Authorization: Bearer …`. */
  readonly token: string;
  /** Origins of the Web UI, such as `http://localhost:8233`; pages of any other are refused. */
  readonly origins: readonly string[];
}

/** A page of a history, base64 and all; the server keeps pages below 4 MiB of payloads. */
const LARGEST_BODY_BYTES = 16 * 1024 ** 2;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Temporal's remote codec protocol: POST /decode and /encode, with JSON payloads and the header X-Namespace. Answers 401 without the
 * token, 403 for another namespace or a page of another origin, 400 for payloads that the codec refuses.
 * @see https://docs.temporal.io/codec-server
 */
export function codecServer(options: CodecServerOptions): RequestListener {
  return (request, response) => {
    const { origin } = request.headers;
    if (origin !== undefined && !options.origins.includes(origin)) return end(response, { status: 403, body: fault(`Origin ${origin} is not one of the declared ones`) });
    if (origin !== undefined) allowOrigin(response, origin);
    // A preflight carries no token: the browser asks first, then sends it.
    if (request.method === 'OPTIONS') return end(response, { status: 204, body: '' });
    answer(request, options).then(
      (done) => end(response, done),
      (error: unknown) => end(response, { status: error instanceof PayloadRefused || error instanceof SyntaxError ? 400 : 500, body: fault(reasonOf(error)) }),
    );
  };
}

async function answer(request: IncomingMessage, { keys, namespace, token }: CodecServerOptions): Promise<Answer> {
  if (!bearsToken(request, token)) return { status: 401, body: fault('expected the header "Authorization: Bearer <token>" with the token of this codec server') };
  const path = request.url?.split('?')[0];
  if (path !== '/decode' && path !== '/encode') return { status: 404, body: fault('there are /decode and /encode') };
  if (request.method !== 'POST') return { status: 405, body: fault('expected POST') };
  // `temporal` leaves it empty where the user did not give `--namespace`.
  const asked = request.headers['x-namespace'] ?? '';
  if (asked !== '' && asked !== namespace) return { status: 403, body: fault(`this codec server serves the namespace "${namespace}", not "${String(asked)}"`) };
  const body = await bodyOf(request);
  if (body === undefined) return { status: 413, body: fault(`expected at most ${LARGEST_BODY_BYTES} bytes`) };
  const codec = createPayloadCodec(keys, namespace);
  const payloads = payloadsFromJson(body);
  return { status: 200, body: payloadsToJson(await (path === '/decode' ? codec.decode(payloads) : codec.encode(payloads))) };
}

/** Compares digests: neither the token's length nor its first letters show in the time. */
function bearsToken(request: IncomingMessage, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(`Bearer ${token}`));
}

/** Undefined for one that is too large; leaving a `for await` early would cut the connection before the answer. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > LARGEST_BODY_BYTES) resolve(undefined);
      else chunks.push(chunk);
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8'))).once('error', reject);
  });
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Access-Control-Allow-Methods', 'POST, OPTIONS');
  response.setHeader('Access-Control-Allow-Headers', 'authorization, content-type, x-namespace');
  response.setHeader('Vary', 'Origin');
}

function end(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}), ...(status === 413 ? { Connection: 'close' } : {}) }).end(body);
}

function fault(message: string): string {
  return JSON.stringify({ message });
}

function reasonOf(error: unknown): string {
  return error instanceof PayloadRefused || error instanceof SyntaxError ? error.message : 'the codec server failed';
}
