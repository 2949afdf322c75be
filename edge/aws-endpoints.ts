import { isLoopback } from './loopback';

const ENDPOINT = /^AWS_ENDPOINT_URL(_[A-Z0-9_]+)?$/;

/** The part of an AWS client by which each request can be looked at before it leaves. */
export interface RequestingClient {
  readonly middlewareStack: { use(plugin: { applyToStack(stack: unknown): void }): void };
}

type Send = (args: { readonly request: { readonly protocol?: string; readonly hostname?: string } }) => Promise<unknown>;
interface Stack {
  add(middleware: (next: Send) => Send, options: { readonly step: 'finalizeRequest'; readonly name: string; readonly override: boolean }): void;
}

/** A request that would have left the machine in clear. */
export class TransportRefused extends Error {
  override readonly name = 'TransportRefused';
}

/** What is wrong with the environment's AWS endpoints and with its checking of certificates; one sentence a fault. */
export function transportFaults(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const endpoints = Object.entries(env).filter(([name, value]) => ENDPOINT.test(name) && value !== undefined && value !== '');
  const faults = endpoints.flatMap(([name, value = '']) => {
    if (!URL.canParse(value)) return [`${name}: expected a URL`];
    const url = new URL(value);
    return isPlain(url.protocol, url.hostname) ? [`${name}: ${url.protocol}//${url.host} is not encrypted; expected https, or a loopback address`] : [];
  });
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    faults.push('NODE_TLS_REJECT_UNAUTHORIZED=0 accepts any certificate of anyone; add the CA of a private endpoint by NODE_EXTRA_CA_CERTS instead');
  }
  return faults;
}

/**
 * Makes a client refuse to send a request in clear to another machine, wherever its endpoint came from (environment, shared
 * configuration file, code).
 * @returns the same client, whose `send` rejects with `TransportRefused`
 */
export function withTransportCheck<T extends RequestingClient>(client: T): T {
  client.middlewareStack.use(transportCheck);
  return client;
}

/** The same check, for clients that an SDK makes by itself. */
export const transportCheck = {
  // A provider of credentials puts it on its client again with each call.
  applyToStack: (stack: unknown) => (stack as Stack).add(refusePlain, { step: 'finalizeRequest', name: 'meridianTransportCheck', override: true }),
};

function refusePlain(next: Send): Send {
  return async (args) => {
    const { protocol = 'https:', hostname = '' } = args.request;
    if (isPlain(protocol, hostname)) throw new TransportRefused(`A request to ${hostname} was not sent: its endpoint is http; expected https, or a loopback address`);
    return next(args);
  };
}

function isPlain(protocol: string, host: string): boolean {
  return protocol === 'http:' && !isLoopback(host);
}
