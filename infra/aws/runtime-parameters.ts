import { CfnParameter, type CfnParameterProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AURORA_ACUS, NOWHERE, TASK_COUNTS_LEAST, TASK_COUNTS_MOST } from './runtime-choices';
import { WORKER_SIZES } from './worker-sizes';

const SECRET_ARN = '^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6})?$';
const CIDR = '[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}';
/** Of what names something: refused by CloudFormation before anything is made. */
const TEXT = { type: 'String' } as const;
const OPTIONAL_SECRET = {
  ...TEXT,
  default: '',
  allowedPattern: SECRET_ARN,
  constraintDescription: 'must be the whole ARN of a secret, or empty',
};
const YES_NO = { ...TEXT, allowedValues: ['true', 'false'] };

/** What a deployment of the worker decides (S1.10). A secret is always named, never given: its value never passes through a template. */
const PARAMETERS = {
  DataStack: {
    ...TEXT,
    default: 'Meridian',
    allowedPattern: '^[A-Za-z][A-Za-z0-9-]{0,127}$',
    description: 'The stack with buckets, tables and roles, of the same region',
  },
  WorkerImageTag: {
    ...TEXT,
    allowedPattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$',
    description: 'Tag of the worker image in the repository of the data stack (its output WorkerImageRepositoryUri)',
  },
  JobsUri: {
    ...TEXT,
    allowedPattern: '^s3://[a-z0-9.-]+/.+$',
    description: 'Where the job code of this release was uploaded, as MERIDIAN_JOBS_URI has it',
  },
  TemporalHost: {
    ...TEXT,
    allowedPattern: '^[A-Za-z0-9.-]+$',
    description: 'Host of Temporal, in Temporal Cloud the endpoint of the namespace or its region',
  },
  TemporalPort: { type: 'Number', default: 7233, minValue: 1, maxValue: 65535, description: 'Port of Temporal' },
  TemporalNamespace: {
    ...TEXT,
    default: 'default',
    allowedPattern: '^[A-Za-z0-9._-]+$',
    description: 'In Temporal Cloud <namespace>.<account>',
  },
  TemporalAuthentication: {
    ...TEXT,
    default: 'api-key',
    allowedValues: ['api-key', 'mtls', 'tls', 'plaintext'],
    description: 'How the worker proves itself to Temporal; tls: not at all; plaintext: where a service mesh encrypts',
  },
  TemporalApiKeySecretArn: { ...OPTIONAL_SECRET, description: 'Secret whose text is the API key' },
  TemporalCertificateSecretArn: {
    ...OPTIONAL_SECRET,
    description: 'Secret {"certificate":"<PEM>","privateKey":"<PEM>"}',
  },
  TemporalCaSecretArn: {
    ...OPTIONAL_SECRET,
    description: 'Secret whose text is the PEM of a private CA of Temporal; empty: a public one',
  },
  PayloadKeysSecretArn: {
    ...OPTIONAL_SECRET,
    description: 'Secret with the payload keys, see docs/security.md; empty: Temporal keeps payloads in clear',
  },
  PostgresHost: {
    ...TEXT,
    default: '',
    allowedPattern: '^[A-Za-z0-9.-]*$',
    description: 'An existing PostgreSQL with PostGIS; empty: Aurora Serverless v2',
  },
  PostgresSecretArn: {
    ...OPTIONAL_SECRET,
    description: 'Secret {"username":"…","password":"…"} of the existing PostgreSQL',
  },
  PostgresCidr: {
    ...TEXT,
    default: NOWHERE,
    allowedPattern: `^${CIDR}$`,
    description: 'Addresses of the existing PostgreSQL: the worker connects to no others',
  },
  PostgresPort: { type: 'Number', default: 5432, minValue: 1, maxValue: 65535, description: 'Port of PostgreSQL' },
  PostgresDatabase: {
    ...TEXT,
    default: 'meridian',
    allowedPattern: '^[a-z_][a-z0-9_]{0,62}$',
    description: 'Its database',
  },
  PostgresCa: {
    ...TEXT,
    default: 'rds',
    allowedValues: ['rds', 'system'],
    description: 'Who signed its certificate: the CAs of Amazon RDS, or one that Node trusts',
  },
  AuroraMaxAcu: {
    ...TEXT,
    default: '',
    allowedValues: ['', ...AURORA_ACUS],
    description: 'Aurora grows to this many capacity units, and pauses at none; empty: PostgresHost is given',
  },
  AuroraDeletionProtection: {
    ...YES_NO,
    default: 'true',
    description: 'Deleting the stack fails while it is true; a snapshot is left either way',
  },
  VpcId: {
    ...TEXT,
    default: '',
    allowedPattern: '^(vpc-[0-9a-f]{8,17})?$',
    description: 'An existing network; empty: a new one',
  },
  SubnetIds: {
    ...TEXT,
    default: '',
    allowedPattern: '^(subnet-[0-9a-f]{8,17}(,subnet-[0-9a-f]{8,17})+)?$',
    constraintDescription: 'must be subnets of at least two zones, separated by commas',
    description: 'Subnets of the existing network with a way to Temporal and AWS',
  },
  NetworkCidr: {
    ...TEXT,
    default: '10.61.0.0/22',
    allowedPattern: `^${CIDR}$`,
    description: 'Addresses of the new network',
  },
  Egress: {
    ...TEXT,
    default: 'public-address',
    allowedValues: ['public-address', 'nat-gateway'],
    description:
      'How the worker leaves the new network: by an address of its own that nothing can connect to, or by a NAT gateway from private subnets',
  },
  InterfaceEndpoints: {
    ...YES_NO,
    default: 'false',
    description: 'Whether AWS is reached inside the new network; each endpoint is paid by the hour',
  },
  FlowLogs: { ...YES_NO, default: 'false', description: 'Whether the traffic of the new network is logged' },
  WorkerSize: {
    ...TEXT,
    default: 'small',
    allowedValues: Object.keys(WORKER_SIZES),
    description: 'CPU and memory of one worker',
  },
  WorkerArchitecture: {
    ...TEXT,
    default: 'X86_64',
    allowedValues: ['X86_64', 'ARM64'],
    description: 'What the image was built for',
  },
  ScratchGib: {
    type: 'Number',
    default: 21,
    minValue: 21,
    maxValue: 200,
    description: 'Disk on which dedup sorts what does not fit in memory',
  },
  MinWorkers: {
    ...TEXT,
    default: '1',
    allowedValues: TASK_COUNTS_LEAST,
    description: 'Workers at rest; 0 only with MaxWorkers 0, which pauses everything',
  },
  MaxWorkers: {
    ...TEXT,
    default: '4',
    allowedValues: TASK_COUNTS_MOST,
    description: 'Workers at most, while tasks wait',
  },
  SecretsKeyArn: {
    ...TEXT,
    default: '',
    allowedPattern: '^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$',
    description: 'KMS key that the secrets are encrypted with; empty: that of Secrets Manager',
  },
} as const satisfies Readonly<Record<string, CfnParameterProps & { readonly description: string }>>;

/** Name of a parameter of the runtime stack. */
export type RuntimeParameter = keyof typeof PARAMETERS;
/** The runtime stack's parameters by their names. */
export type RuntimeParameters = Readonly<Record<RuntimeParameter, CfnParameter>>;

/** Declares all parameters in `scope`, the stack: there their logical ids are their names. */
export function declareParameters(scope: Construct): RuntimeParameters {
  const made = Object.entries(PARAMETERS).map(
    ([name, props]) => [name, new CfnParameter(scope, name, props as CfnParameterProps)] as const,
  );
  return Object.fromEntries(made) as Record<RuntimeParameter, CfnParameter>;
}
