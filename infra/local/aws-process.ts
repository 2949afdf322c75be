import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { awsKeysFile, ensureAwsKeys, readAwsKeys } from './aws-keys';
import { findProcess, startProcess, waitUntilReady } from './processes';
import { StackError } from './stack-error';

const HOST = '127.0.0.1';
export const AWS = 'aws';
const PACKAGE = join(__dirname, 'aws');

export interface AwsOptions {
  readonly home: string;
  /** Python of the virtual environment that has the emulator and PySpark. */
  readonly python: string;
  /** Folder with the jars that AWS's Spark images carry. */
  readonly jars: string;
  readonly javaHome?: string;
  readonly port: number;
  /** Every call is held against its caller's policies; once so, always so for this home. */
  readonly auth: boolean;
  /** More settings of the emulator, as environment variables. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface AwsEnv {
  readonly AWS_ENDPOINT_URL: string;
  readonly AWS_REGION: string;
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
  /** Of a stack that enforces its policies. */
  readonly MERIDIAN_TASK_TOKEN?: string;
}

/**
 * The local AWS on loopback, its state in `<home>/aws`. Safe to run twice.
 * @throws StackError when it runs already, and enforces nothing though it should
 */
export async function startAws({ home, python, jars, javaHome, port, auth, settings = {} }: AwsOptions): Promise<AwsEnv> {
  if (auth && readAwsKeys(home) === undefined && findProcess(home, AWS) !== undefined) {
    throw new StackError('The local AWS of this stack runs and takes any credentials: `meridian down` first, then `meridian up --auth`');
  }
  const keys = auth ? ensureAwsKeys(home) : readAwsKeys(home);
  const state = join(home, 'aws', 'state');
  const objects = join(home, 'aws', 's3');
  for (const folder of [state, objects]) mkdirSync(folder, { recursive: true });
  const record =
    findProcess(home, AWS) ??
    (await startProcess(home, {
      name: AWS,
      command: python,
      args: ['-m', 'meridian_aws'],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        ...(javaHome === undefined ? {} : { JAVA_HOME: javaHome }),
        PYTHONPATH: PACKAGE,
        PYTHONUNBUFFERED: '1',
        BIND_HOST: HOST,
        GATEWAY_PORT: String(port),
        PERSIST_STATE: '1',
        STATE_DIR: state,
        S3_PERSIST: '1',
        S3_DATA_DIR: objects,
        IOT_MTLS_ENABLED: 'false',
        MERIDIAN_SPARK_JARS: jars,
        ...(keys === undefined ? {} : { MERIDIAN_AWS_KEYS: awsKeysFile(home) }),
        ...settings,
      },
      cwd: home,
      stopSignal: 'SIGTERM', // it saves its state then
      settings: { port },
    }));
  const endpoint = `http://${HOST}:${Number(record.settings['port'])}`;
  await waitUntilReady(home, record, () => answers(endpoint), 60_000);
  const place = { AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'us-east-1' };
  // Without keys it takes any credentials; SDKs insist on having some.
  if (keys === undefined) return { ...place, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
  const { accessKeyId, secretAccessKey, taskToken } = keys;
  return { ...place, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, MERIDIAN_TASK_TOKEN: taskToken };
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) });
    return response.status < 500;
  } catch {
    return false;
  }
}
