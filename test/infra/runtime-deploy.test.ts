import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parameterFaults } from '../../infra/deploy/parameter-faults';
import type { Template as DeployTemplate } from '../../infra/deploy/template';
import { readTemporalSettings } from '../../edge/temporal-settings';
import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import { databaseTls } from '../../sql/database-tls';
import { readWorkerConfig } from '../../worker/config';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { dataTemplate, EXISTING, LEAST, Stacks, template, type Values } from './runtime-fixture';

interface Container {
  readonly name: string;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly secrets: readonly { readonly Name: string; readonly ValueFrom: string }[];
}

const ROOT = join(__dirname, '../..');
/** Variables that a worker reads and the task leaves alone. */
const LEFT_ALONE: Readonly<Record<string, string>> = {
  MERIDIAN_ARCHIVE_SECONDS: 'its default is meant',
  MERIDIAN_AWS_TIMEOUT_SECONDS: 'its default is meant',
  MERIDIAN_WORKER_BUILD_ID: 'a service that replaces its tasks has no workers for the cycles of an older build',
  MERIDIAN_WORKER_DEPLOYMENT: 'belongs to builds',
  PGSSLMODE: 'any host but loopback is spoken to by verified TLS without it',
};

let aws: LocalAws;
let stacks: Stacks;
let data: Readonly<Record<string, string>>;

beforeAll(async () => {
  aws = await startLocalAws();
  stacks = new Stacks(aws);
  data = await stacks.create('Meridian', dataTemplate);
  await stacks.create('Least', template, LEAST);
  await stacks.create('Existing', template, EXISTING);
  await stacks.create('Costly', template, {
    ...LEAST,
    AuroraDeletionProtection: 'false',
    Egress: 'nat-gateway',
    InterfaceEndpoints: 'true',
    FlowLogs: 'true',
  });
}, 120_000);
afterAll(() => {
  stacks.close();
  return aws.stop();
});

async function container(stack: string, name: string): Promise<Container> {
  const { taskDefinition } = (await stacks.ecs('DescribeTaskDefinition', { taskDefinition: `${stack}-worker` })) as {
    taskDefinition: { containerDefinitions: readonly Container[] };
  };
  const found = taskDefinition.containerDefinitions.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${stack} has no container ${name}`);
  return found;
}

/** The environment that a worker is started with, each secret with a text that its reader takes. */
async function environmentOf(
  stack: string,
  secrets: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const worker = await container(stack, 'worker');
  const given = [
    ...worker.environment.map(({ name, value }) => [name, value] as const),
    ...worker.secrets.map(({ Name }) => [Name, secrets[Name] ?? 'secret'] as const),
  ];
  expect(new Set(given.map(([name]) => name)).size).toBe(given.length);
  return Object.fromEntries(given);
}

describe('The runtime stack on the local AWS, unmodified (S2.25, X14)', () => {
  test('at its least it makes a network without ways in and a cluster, and nothing else that costs by the hour', async () => {
    const made = await stacks.resources('Least');

    expect(Object.fromEntries(Object.entries(made).map(([type, { length }]) => [type, length]))).toMatchObject({
      'AWS::EC2::VPC': 1,
      'AWS::EC2::Subnet': 4,
      'AWS::EC2::VPCEndpoint': 2,
      'AWS::RDS::DBCluster': 1,
      'AWS::RDS::DBInstance': 1,
      'AWS::ECS::Service': 1,
      'AWS::CloudWatch::Alarm': 3,
    });
    expect(Object.keys(made).filter((type) => /Nat|EIP|FlowLog/.test(type))).toEqual([]);
  });

  test('with another’s network and PostgreSQL it makes neither, and paused it raises no alarm of missing workers', async () => {
    const made = await stacks.resources('Existing');

    expect(Object.keys(made).filter((type) => /EC2|RDS/.test(type))).toEqual(['AWS::EC2::SecurityGroup']);
    expect(made['AWS::EC2::SecurityGroup']).toHaveLength(2);
    expect(made['AWS::CloudWatch::Alarm']).toHaveLength(2);
  });

  test('a NAT gateway, endpoints and flow logs are made where they are asked for', async () => {
    const made = await stacks.resources('Costly');

    expect(made['AWS::EC2::NatGateway']).toHaveLength(1);
    expect(made['AWS::EC2::FlowLog']).toHaveLength(1);
    expect(made['AWS::EC2::VPCEndpoint']).toHaveLength(12);
  });

  test('workers run in the network that was chosen, with a public address only where nothing else leads out', async () => {
    const networks = await Promise.all(
      ['Least', 'Existing', 'Costly'].map(async (stack) => {
        const cluster = (await stacks.resources(stack))['AWS::ECS::Cluster']?.[0];
        const { services } = (await stacks.ecs('DescribeServices', { cluster, services: [`${stack}-worker`] })) as {
          services: readonly {
            networkConfiguration: { awsvpcConfiguration: { assignPublicIp: string; subnets: readonly string[] } };
          }[];
        };
        return services[0]?.networkConfiguration.awsvpcConfiguration;
      }),
    );

    expect(networks.map((network) => network?.assignPublicIp)).toEqual(['ENABLED', 'DISABLED', 'DISABLED']);
    expect(networks[1]?.subnets).toEqual(EXISTING.SubnetIds.split(','));
    for (const index of [0, 2]) expect(networks[index]?.subnets).toHaveLength(2);
  });

  test('the worker takes its environment: every name that it reads is set, from the data stack’s outputs where they are meant', async () => {
    const env = await environmentOf('Least', {});

    const config = readWorkerConfig(env);

    for (const [output, name] of Object.entries(STACK_OUTPUTS)) expect([name, env[name]]).toEqual([name, data[output]]);
    expect(config).toMatchObject({
      duckdbMemoryMb: 1024,
      backlogSeconds: 60,
      supervised: true,
      workDir: '/scratch/worker',
    });
    expect(readTemporalSettings(env)).toMatchObject({
      address: `${LEAST.TemporalHost}:7233`,
      namespace: LEAST.TemporalNamespace,
      connectionOptions: { apiKey: 'secret' },
    });
    expect(() => databaseTls({ host: env['PGHOST'] }, env)).toThrow('PGSSLROOTCERT: /etc/meridian/rds-ca.pem'); // is in the image alone
    expect(env).toMatchObject({ PGUSER: 'secret', PGPASSWORD: 'secret', PGPORT: '5432', PGDATABASE: 'meridian' });
  });

  test('and so it does with certificates, payload keys and another’s PostgreSQL', async () => {
    const env = await environmentOf('Existing', {
      MERIDIAN_PAYLOAD_KEYS: JSON.stringify({ active: 'a', keys: { a: Buffer.alloc(32).toString('base64') } }),
    });

    const { connectionOptions, address, dataConverter } = readTemporalSettings(env);

    expect(address).toBe(`${EXISTING.TemporalHost}:443`);
    expect(connectionOptions).toMatchObject({
      tls: {
        clientCertPair: { crt: Buffer.from('secret'), key: Buffer.from('secret') },
        serverRootCACertificate: Buffer.from('secret'),
      },
    });
    expect(dataConverter.failureConverterPath).toBeDefined();
    expect(databaseTls({ host: env['PGHOST'] }, env)).toEqual({ ssl: { rejectUnauthorized: true } });
    expect(env['TEMPORAL_API_KEY']).toBeUndefined();
  });

  test('plaintext to Temporal is said to the worker, which otherwise refuses it', async () => {
    await stacks.create('Mesh', template, {
      ...EXISTING,
      TemporalAuthentication: 'plaintext',
      TemporalCertificateSecretArn: '',
      TemporalCaSecretArn: '',
      PayloadKeysSecretArn: '',
    });

    const env = await environmentOf('Mesh', {});

    expect(readTemporalSettings(env).connectionOptions.tls).toBeFalsy();
    expect(() => readTemporalSettings({ ...env, MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL: undefined })).toThrow('without TLS');
    await stacks.delete('Mesh');
  });

  test('no variable that worker, edge or sql read is forgotten', async () => {
    const set = new Set([
      ...Object.keys(await environmentOf('Least', {})),
      ...Object.keys(await environmentOf('Existing', {})),
    ]);
    const read = new Set(['worker', 'edge', 'sql'].flatMap((folder) => namesIn(join(ROOT, folder))));

    expect([...read]).toEqual(expect.arrayContaining(['PGHOST', 'MERIDIAN_SUPERVISED', 'MERIDIAN_PAYLOAD_KEYS'])); // else nothing was read
    expect([...read].filter((name) => !set.has(name) && name !== 'MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL').sort()).toEqual(
      Object.keys(LEFT_ALONE).sort(),
    );
  });

  test('S2.21 the migration is given the database’s secrets and no others', async () => {
    const { secrets } = await container('Existing', 'migrate');

    expect(secrets.map(({ Name }) => Name)).toEqual(['PGUSER', 'PGPASSWORD']);
    expect(secrets.map(({ ValueFrom }) => ValueFrom)).toEqual([
      `${EXISTING.PostgresSecretArn}:username::`,
      `${EXISTING.PostgresSecretArn}:password::`,
    ]);
  });
});

describe('Bad input is named, and nothing is made', () => {
  const contradictions: readonly (readonly [string, Values])[] = [
    ['PostgresHost names an existing PostgreSQL, or AuroraMaxAcu', { AuroraMaxAcu: '' }],
    ['only one of PostgresHost', { PostgresHost: 'db', PostgresSecretArn: EXISTING.PostgresSecretArn, PostgresCidr: '10.0.0.0/8' }],
    ['PostgresSecretArn comes with PostgresHost', { AuroraMaxAcu: '', PostgresHost: 'db', PostgresCidr: '10.0.0.0/8' }],
    ['PostgresCidr comes with PostgresHost', { AuroraMaxAcu: '', PostgresHost: 'db', PostgresSecretArn: EXISTING.PostgresSecretArn }],
    ['PostgresSecretArn is empty with AuroraMaxAcu', { PostgresSecretArn: EXISTING.PostgresSecretArn }],
    ['PostgresCidr is left alone with AuroraMaxAcu', { PostgresCidr: '10.0.0.0/8' }],
    ['PostgresCa is rds with AuroraMaxAcu', { PostgresCa: 'system' }],
    ['SubnetIds come with VpcId', { VpcId: EXISTING.VpcId }],
    ['VpcId comes with SubnetIds', { SubnetIds: EXISTING.SubnetIds }],
    ['Egress is left alone with VpcId', { VpcId: EXISTING.VpcId, SubnetIds: EXISTING.SubnetIds, Egress: 'nat-gateway' }],
    ['InterfaceEndpoints is false with VpcId', { VpcId: EXISTING.VpcId, SubnetIds: EXISTING.SubnetIds, InterfaceEndpoints: 'true' }],
    ['FlowLogs is false with VpcId', { VpcId: EXISTING.VpcId, SubnetIds: EXISTING.SubnetIds, FlowLogs: 'true' }],
    ['TemporalApiKeySecretArn comes with the authentication api-key', { TemporalApiKeySecretArn: '' }],
    ['TemporalCertificateSecretArn comes with the authentication mtls', { TemporalAuthentication: 'mtls', TemporalApiKeySecretArn: '' }],
    ['TemporalApiKeySecretArn is empty unless', { TemporalAuthentication: 'tls' }],
    ['TemporalCertificateSecretArn is empty unless', { TemporalCertificateSecretArn: EXISTING.TemporalCertificateSecretArn }],
    [
      'TemporalCaSecretArn is empty with the authentication plaintext',
      { TemporalAuthentication: 'plaintext', TemporalApiKeySecretArn: '', TemporalCaSecretArn: EXISTING.TemporalCaSecretArn },
    ],
    ['MaxWorkers is 0 with MinWorkers 0', { MinWorkers: '0' }],
    ['MaxWorkers is at least MinWorkers, 4', { MinWorkers: '4', MaxWorkers: '2' }],
    ['MaxWorkers is at least MinWorkers, 1', { MaxWorkers: '0' }],
    ['TemporalApiKeySecretArn', { TemporalApiKeySecretArn: 'tmprl_the-key-itself' }],
    ['SubnetIds', { VpcId: EXISTING.VpcId, SubnetIds: 'subnet-0123456789abcdef0' }],
  ];

  test.each(contradictions)('%s', async (named, values) => {
    await expect(stacks.create('Refused', template, { ...LEAST, ...values })).rejects.toThrow(named);

    expect(await stacks.find('Refused')).toBeUndefined();
    // The plan of a deployment says the same without asking AWS.
    expect(parameterFaults(template.toJSON() as DeployTemplate, { ...LEAST, ...values }, {}).join()).toContain(named);
  });

  test.each(['WorkerImageTag', 'JobsUri', 'TemporalHost'] as const)('a missing %s', async (missing) => {
    const others = Object.fromEntries(Object.entries(LEAST).filter(([name]) => name !== missing));

    await expect(stacks.create('Refused', template, others)).rejects.toThrow(missing);
  });

  test('a data stack that is not there is named', async () => {
    await expect(stacks.create('Refused', template, { ...EXISTING, DataStack: 'Nowhere' })).rejects.toThrow('Nowhere-');

    await stacks.delete('Refused');
  });
});

/** The last of this file: it takes away what the others look at. */
describe('Taking the runtime stack away', () => {
  test('the data stack refuses to go while a worker uses it; the worker’s goes, and leaves the data stack as it was', async () => {
    const before = await stacks.resources('Meridian');

    await expect(stacks.delete('Meridian')).rejects.toThrow(/Meridian-\w+ is imported by stack/);
    const gone = await stacks.delete('Costly');

    expect(gone).toMatch(/gone|DELETE_COMPLETE/);
    expect(await stacks.resources('Meridian')).toEqual(before);
  });
});

/** Names of environment variables in the sources below `folder`. */
function namesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/\b(?:MERIDIAN_[A-Z_]+[A-Z]|PG[A-Z]{4,})\b/g)].map(
        ([found]) => found,
      ),
    );
}
