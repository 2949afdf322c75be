import type { DataConverter } from '@temporalio/common';
import { splitProtoHostPort } from '@temporalio/common/lib/internal-non-workflow/parse-host-uri';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { encryptingDataConverter } from './data-converter';
import { isLoopback } from './loopback';
import { readPayloadKeys } from './payload-keys';

/** Everything that a worker or a client needs to speak to Temporal. */
export interface TemporalSettings {
  /** `host:port` */
  readonly address: string;
  readonly namespace: string;
  readonly connectionOptions: ClientConnectConfig['connectionOptions'];
  /** Encrypts and decrypts by the payload keys, where there are any. */
  readonly dataConverter: DataConverter;
}

const ALLOW_PLAINTEXT = 'MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL';
const DEFAULT_ADDRESS = 'localhost:7233';

/**
 * Temporal's settings by its environment configuration (`TEMPORAL_ADDRESS`, `TEMPORAL_API_KEY`, `temporal.toml`), and the payload keys.
 * @throws Error for an address without TLS that is not loopback, unless `MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL=1`
 * @throws Error for payload keys that are not what they must be
 */
export function readTemporalSettings(env: NodeJS.ProcessEnv): TemporalSettings {
  const overrideEnvVars = Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig({ overrideEnvVars });
  const address = connectionOptions.address ?? DEFAULT_ADDRESS;
  const encrypted = Boolean(connectionOptions.tls);
  if (!encrypted && env[ALLOW_PLAINTEXT] !== '1' && !isLoopback(splitProtoHostPort(address)?.hostname ?? address)) {
    throw new Error(
      `Temporal at ${address} would be spoken to without TLS: expected a loopback address or TLS (TEMPORAL_TLS=true, or TEMPORAL_API_KEY, ` +
        `or the TEMPORAL_TLS_… certificates). Where something else protects that connection, such as a service mesh, say so: ${ALLOW_PLAINTEXT}=1`,
    );
  }
  return { address, namespace, connectionOptions, dataConverter: encryptingDataConverter(readPayloadKeys(env), namespace) };
}
