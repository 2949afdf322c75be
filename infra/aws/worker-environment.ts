import { Aws, CfnCondition, CfnMapping, Fn } from 'aws-cdk-lib';
import type { CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import { DEFAULT_TASK_QUEUE } from '../../domain/queue-metric';
import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import type { Database } from './database';
import { imported } from './imported';
import type { RuntimeParameter, RuntimeParameters } from './runtime-parameters';
import { WORKER_SIZES } from './worker-sizes';

/** The only folder that a worker may write, as the image lays it out. */
export const SCRATCH = '/scratch';
/** Where the image keeps the CAs of Amazon RDS. */
export const RDS_CA = '/etc/meridian/rds-ca.pem';
/** Read by the image's health check; no other container or host reaches it. */
const METRICS_ADDRESS = '127.0.0.1:9464';
const BACKLOG_SECONDS = 60; // CloudWatch's own resolution, and a cent a day of requests

type Pair = CfnTaskDefinition.KeyValuePairProperty;
type Secret = CfnTaskDefinition.SecretProperty;
const NONE = { Ref: 'AWS::NoValue' };

/** Everything that `worker/config.ts`, `edge/` and `sql/` read, as the parameters and the data stack's outputs have it. */
export class WorkerEnvironment {
  readonly variables: (Pair | ReturnType<typeof Fn.conditionIf>)[];
  readonly secrets: (Secret | ReturnType<typeof Fn.conditionIf>)[];
  /** Of these, what PostgreSQL asks for. */
  readonly databaseSecrets: Secret[];
  /** Every secret that is read; of those not given nothing stands in the template. */
  readonly secretArns: string[];
  /** Where one worker's CPU and memory are looked up. */
  readonly sizes: CfnMapping;

  constructor(scope: Construct, parameters: RuntimeParameters, database: Database) {
    const { DataStack, TemporalAuthentication, WorkerSize } = parameters;
    this.sizes = new CfnMapping(scope, 'Sizes', { mapping: WORKER_SIZES });
    this.sizes.overrideLogicalId('WorkerSizes');
    const value = (name: RuntimeParameter) => parameters[name].valueAsString;
    const condition = (name: string, expression: ReturnType<typeof Fn.conditionEquals>) => {
      const made = new CfnCondition(scope, name, { expression });
      made.overrideLogicalId(name);
      return made.logicalId;
    };
    const given = (name: RuntimeParameter) =>
      condition(`Has${name.replace(/SecretArn$/, '')}`, Fn.conditionNot(Fn.conditionEquals(value(name), '')));
    const apiKey = given('TemporalApiKeySecretArn');
    const certificate = given('TemporalCertificateSecretArn');
    const ca = given('TemporalCaSecretArn');
    const payloadKeys = given('PayloadKeysSecretArn');
    const plaintext = condition(
      'SpeaksPlaintext',
      Fn.conditionEquals(TemporalAuthentication.valueAsString, 'plaintext'),
    );
    const rdsCa = condition('TrustsRdsCa', Fn.conditionEquals(value('PostgresCa'), 'rds'));

    const set = (name: string, text: string): Pair => ({ name, value: text });
    this.variables = [
      set('AWS_REGION', Aws.REGION),
      ...Object.entries(STACK_OUTPUTS).map(([output, name]) => set(name, imported(DataStack, output))),
      set('MERIDIAN_JOBS_URI', value('JobsUri')),
      set('MERIDIAN_TASK_QUEUE', DEFAULT_TASK_QUEUE),
      set('MERIDIAN_WORK_DIR', `${SCRATCH}/worker`),
      set('MERIDIAN_DUCKDB_MEMORY_MB', this.sizes.findInMap(WorkerSize.valueAsString, 'DuckdbMb')),
      set('MERIDIAN_METRICS_ADDRESS', METRICS_ADDRESS),
      set('MERIDIAN_BACKLOG_SECONDS', String(BACKLOG_SECONDS)),
      set('MERIDIAN_SUPERVISED', '1'),
      set('TEMPORAL_ADDRESS', Fn.join(':', [value('TemporalHost'), value('TemporalPort')])),
      set('TEMPORAL_NAMESPACE', value('TemporalNamespace')),
      set('TEMPORAL_TLS', Fn.conditionIf(plaintext, 'false', 'true').toString()),
      Fn.conditionIf(plaintext, { Name: 'MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL', Value: '1' }, NONE),
      set('PGHOST', database.host),
      set('PGPORT', value('PostgresPort')),
      set('PGDATABASE', value('PostgresDatabase')),
      set('PGSSLROOTCERT', Fn.conditionIf(rdsCa, RDS_CA, 'system').toString()),
    ];

    const inject = (has: string, name: string, valueFrom: string) =>
      Fn.conditionIf(has, { Name: name, ValueFrom: valueFrom }, NONE);
    const member = (arn: string, key: string) => Fn.join('', [arn, `:${key}::`]);
    this.databaseSecrets = [
      { name: 'PGUSER', valueFrom: member(database.secretArn, 'username') },
      { name: 'PGPASSWORD', valueFrom: member(database.secretArn, 'password') },
    ];
    this.secrets = [
      ...this.databaseSecrets,
      inject(apiKey, 'TEMPORAL_API_KEY', value('TemporalApiKeySecretArn')),
      inject(
        certificate,
        'TEMPORAL_TLS_CLIENT_CERT_DATA',
        member(value('TemporalCertificateSecretArn'), 'certificate'),
      ),
      inject(certificate, 'TEMPORAL_TLS_CLIENT_KEY_DATA', member(value('TemporalCertificateSecretArn'), 'privateKey')),
      inject(ca, 'TEMPORAL_TLS_SERVER_CA_CERT_DATA', value('TemporalCaSecretArn')),
      inject(payloadKeys, 'MERIDIAN_PAYLOAD_KEYS', value('PayloadKeysSecretArn')),
    ];
    this.secretArns = [
      ...database.secretArns,
      ...(
        [
          [apiKey, 'TemporalApiKeySecretArn'],
          [certificate, 'TemporalCertificateSecretArn'],
          [ca, 'TemporalCaSecretArn'],
          [payloadKeys, 'PayloadKeysSecretArn'],
        ] as const
      ).map(([has, name]) => Fn.conditionIf(has, value(name), NONE).toString()),
    ];
  }
}
