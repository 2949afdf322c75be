import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { Command } from 'commander';
import { codecServer } from '../edge/codec-server';
import { isLoopback } from '../edge/loopback';
import { readOwnerOnly } from '../edge/owner-only-file';
import { PAYLOAD_KEYS, readPayloadKeys } from '../edge/payload-keys';
import { readTemporalSettings } from '../edge/temporal-settings';
import { loadStackEnvironment } from './environment';
import { UsageError } from './output';

const TOKEN_FILE = 'MERIDIAN_CODEC_TOKEN_FILE';
const SHORTEST_TOKEN = 32;

interface CodecServerCommandOptions {
  readonly host: string;
  readonly port: string;
  readonly origin: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

export function codecServerCommand(): Command {
  return new Command('codec-server')
    .description('decrypt payloads for `temporal` and the Web UI, for those who bear the token, until SIGTERM or Ctrl-C')
    .option('--host <address>', 'where to listen; any but loopback needs --tls-cert and --tls-key', '127.0.0.1')
    .option('--port <n>', 'where to listen; 0 takes a free one', '8089')
    .option('--origin <url>', 'the Web UI, such as http://localhost:8233; may be repeated; pages of any other origin are refused', collect, [])
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'its key, PEM, readable by its owner alone')
    .addHelpText(
      'after',
      `\nReads the keys from ${PAYLOAD_KEYS} (as the worker does), the token from the owner-only file that ${TOKEN_FILE} names\n` +
        `(at least ${SHORTEST_TOKEN} characters), the one namespace that it serves from TEMPORAL_NAMESPACE (default).\n` +
        'Use: export TEMPORAL_CODEC_ENDPOINT=http://127.0.0.1:8089 TEMPORAL_CODEC_AUTH="Bearer $(cat "$' +
        `${TOKEN_FILE}")"; temporal workflow show --workflow-id …`,
    )
    .action(async (options: CodecServerCommandOptions) => {
      await loadStackEnvironment();
      const keys = readPayloadKeys(process.env);
      if (keys === undefined) throw new UsageError(`${PAYLOAD_KEYS} is not set: there is nothing to decrypt with`);
      const { namespace } = readTemporalSettings(process.env);
      const server = listener(options, codecServer({ keys, namespace, token: readToken(process.env), origins: options.origin }));
      await serve(server, options, (url) => process.stderr.write(`Codec server for namespace "${namespace}" answers at ${url}; Ctrl-C stops it\n`));
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  // What a browser sends has no path and no slash at its end.
  if (!URL.canParse(value) || new URL(value).origin !== value) throw new UsageError(`--origin ${value}: expected scheme, host and port alone, such as http://localhost:8233`);
  return [...before, value];
}

function readToken(env: NodeJS.ProcessEnv): string {
  const file = env[TOKEN_FILE];
  if (file === undefined || file === '') throw new UsageError(`${TOKEN_FILE} is not set: expected the path of a file with the token, such as \`openssl rand -hex 32\` makes`);
  const token = readOwnerOnly(file, `Codec token (${TOKEN_FILE})`).trim();
  if (token.length < SHORTEST_TOKEN || /\s/.test(token)) throw new UsageError(`${TOKEN_FILE}: expected one word of at least ${SHORTEST_TOKEN} characters`);
  return token;
}

function listener({ host, tlsCert, tlsKey }: CodecServerCommandOptions, handler: RequestListener): Server {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new UsageError('--tls-cert and --tls-key belong together');
  if (tlsCert !== undefined && tlsKey !== undefined) return createTlsServer({ cert: readFileSync(tlsCert), key: readOwnerOnly(tlsKey, '--tls-key') }, handler);
  if (!isLoopback(host)) throw new UsageError(`--host ${host} is not loopback: token and decrypted payloads would travel in clear; give --tls-cert and --tls-key`);
  return createServer(handler);
}

/** Until SIGINT or SIGTERM. */
async function serve(server: Server, { host, port, tlsCert }: CodecServerCommandOptions, onReady: (url: string) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      server.close(() => resolve());
      server.closeAllConnections();
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    server.once('error', reject).listen(Number(port), host, () => {
      const at = (server.address() as AddressInfo).port;
      onReady(`${tlsCert === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${at}`);
    });
  });
}
