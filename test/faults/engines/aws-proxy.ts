import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ArmedRules, type Strike } from './armed-rules';

/** One request of an AWS SDK, by the names of its API. */
export interface AwsCall {
  /** Signing name: `s3`, `dynamodb`, `glue`, `emr-serverless`, `sns`, `monitoring`. */
  readonly service: string;
  /** `PutObject`, `TransactWriteItems`, `StartJobRun` … */
  readonly operation: string;
  /** `/bucket/key`, decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Whose it is: of temporary credentials, a session's. */
  readonly accessKeyId: string;
  readonly body: Buffer;
}

export interface AwsResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a fault may do with one request: in this order, once each. */
export interface AwsExchange {
  readonly call: AwsCall;
  /** Lets the request take effect. */
  forward(): Promise<AwsResponse>;
  /** Answers; with `sentBytes` the connection breaks after that many bytes of the body. */
  reply(response: AwsResponse, sentBytes?: number): Promise<void>;
  /** Breaks the connection: the client hears nothing. */
  cut(): void;
}

export interface AwsRule extends Strike {
  readonly matches: (call: AwsCall) => boolean;
  readonly act: (exchange: AwsExchange) => Promise<void>;
}

/** Who may do what: asked before any rule. */
export interface AwsGuard {
  /** The answer to a call that is not allowed. */
  refusal(call: AwsCall): AwsResponse | undefined;
  /** Sees every answer. */
  answered(call: AwsCall, response: AwsResponse): void;
}

/** Between the SDKs and the local AWS. Without rules it passes on as it is whatever the guard, if there is one, allows. */
export class AwsProxy {
  readonly calls: string[] = [];
  private readonly rules = new ArmedRules<AwsRule>();
  private down = false;

  private constructor(
    private readonly server: Server,
    private readonly upstreamPort: number,
    private readonly guard: AwsGuard | undefined,
  ) {}

  static async start(upstreamPort: number, guard?: AwsGuard): Promise<AwsProxy> {
    const server = createServer();
    const proxy = new AwsProxy(server, upstreamPort, guard);
    server.on('request', (incoming, outgoing) => void proxy.serve(incoming, outgoing));
    server.keepAliveTimeout = 60_000;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** @returns how often the rule has acted */
  arm(rule: AwsRule): () => number {
    return this.rules.arm(rule);
  }

  disarm(): void {
    this.rules.disarm();
    this.down = false;
  }

  /** Ends what `lose` began. */
  regain(): void {
    this.down = false;
  }

  /** The sudden loss of everything: connections break, and new ones are broken, until `regain` or `disarm`. */
  lose(): void {
    this.down = true;
    this.server.closeAllConnections();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    // The client gave up: nobody is left to answer.
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    if (this.down) return void incoming.socket.destroy();
    try {
      const body = await bodyOf(incoming);
      const call = callOf(incoming, body);
      this.calls.push(`${call.service}.${call.operation}`);
      const exchange = this.exchangeOf(call, incoming, outgoing);
      const refusal = this.guard?.refusal(call);
      if (refusal !== undefined) return await exchange.reply(refusal);
      const [due] = this.rules.due((rule) => rule.matches(call));
      if (due !== undefined) return await due.act(exchange);
      await exchange.reply(await exchange.forward());
    } catch {
      incoming.socket.destroy();
    }
  }

  private exchangeOf(call: AwsCall, incoming: IncomingMessage, outgoing: ServerResponse): AwsExchange {
    return {
      call,
      forward: async () => {
        const response = await this.forward(incoming, call.body);
        this.guard?.answered(call, response);
        return response;
      },
      async reply(response, sentBytes) {
        outgoing.writeHead(response.status, framed(response));
        if (sentBytes === undefined) {
          outgoing.end(response.body);
          return;
        }
        await new Promise<void>((sent) => outgoing.write(response.body.subarray(0, sentBytes), () => sent()));
        incoming.socket.destroy();
      },
      cut: () => incoming.socket.destroy(),
    };
  }

  private forward(incoming: IncomingMessage, body: Buffer): Promise<AwsResponse> {
    const headers = without(incoming.headers, ['expect', 'transfer-encoding']);
    return new Promise((resolve, reject) => {
      const upstream = request(
        {
          host: '127.0.0.1',
          port: this.upstreamPort,
          method: incoming.method,
          path: incoming.url,
          headers: { ...headers, 'content-length': String(body.length) },
        },
        (response) => {
          bodyOf(response).then((answer) => resolve({ status: response.statusCode ?? 502, headers: response.headers, body: answer }), reject);
        },
      );
      upstream.on('error', reject);
      upstream.end(body);
    });
  }
}

/** A length that is true of the body, unless the fault set one that is not. */
function framed({ headers, body }: AwsResponse): IncomingHttpHeaders {
  return { 'content-length': String(body.length), ...without(headers, ['transfer-encoding', 'connection']) };
}

function without(headers: IncomingHttpHeaders, names: readonly string[]): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of stream) blocks.push(block as Buffer);
  return Buffer.concat(blocks);
}

function callOf(incoming: IncomingMessage, body: Buffer): AwsCall {
  const [, accessKeyId = '', service = 'unsigned'] = /Credential=([^/]+)\/\d+\/[^/]+\/([^/]+)\//.exec(incoming.headers.authorization ?? '') ?? [];
  const url = new URL(incoming.url ?? '/', 'http://aws');
  const path = decodeURIComponent(url.pathname);
  const target = incoming.headers['x-amz-target'];
  const named = typeof target === 'string' ? target.split('.').at(-1) : /(?:^|&)Action=(\w+)/.exec(body.toString('latin1', 0, 200))?.[1];
  return { service, operation: named ?? restOperation(service, incoming.method ?? 'GET', url, incoming.headers), path, query: url.searchParams, accessKeyId, body };
}

/** Operations of the services whose requests do not name them. */
function restOperation(service: string, method: string, url: URL, headers: IncomingHttpHeaders): string {
  const parts = url.pathname.split('/').filter((part) => part !== '');
  if (service === 'emr-serverless') {
    if (method === 'POST') return 'StartJobRun';
    if (method === 'DELETE') return 'CancelJobRun';
    if (!parts.includes('jobruns')) return 'GetApplication';
    return parts.at(-1) === 'jobruns' ? 'ListJobRuns' : 'GetJobRun';
  }
  if (service === 'monitoring') return url.pathname.split('/').at(-1) ?? 'PutMetricData';
  if (url.searchParams.has('delete')) return 'DeleteObjects';
  if (parts.length < 2) return method !== 'GET' ? `${method}Bucket` : url.searchParams.has('versions') ? 'ListObjectVersions' : 'ListObjectsV2';
  if (url.searchParams.has('uploadId') || url.searchParams.has('uploads')) return `Multipart${method}`;
  if (method === 'PUT') return headers['x-amz-copy-source'] === undefined ? 'PutObject' : 'CopyObject';
  return { GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' }[method] ?? method;
}
