import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Match } from 'aws-cdk-lib/assertions';
import { DEFAULT_TASK_QUEUE, QUEUE_METRIC } from '../../domain/queue-metric';
import { template } from './runtime-fixture';

type Resource = {
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly Condition?: string;
  readonly DeletionPolicy?: string;
};
interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}
interface Rule {
  readonly CidrIp?: unknown;
  readonly Description: string;
}

const ROOT = join(__dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const resources = (type: string) => Object.values(template.findResources(type)) as Resource[];
const text = JSON.stringify(template.toJSON());

describe('The runtime template: who reaches what (S2.21, S2.22)', () => {
  test('S2.21 nothing may be connected to but PostgreSQL and AWS endpoints, by the worker’s own groups alone', () => {
    const ingress = resources('AWS::EC2::SecurityGroup').flatMap(
      ({ Properties }) => (Properties['SecurityGroupIngress'] ?? []) as readonly Record<string, unknown>[],
    );

    expect(ingress.map(({ Description, CidrIp, CidrIpv6 }) => [Description, CidrIp, CidrIpv6])).toEqual([
      ['PostgreSQL', undefined, undefined],
      ['the worker', undefined, undefined],
    ]);
    for (const rule of ingress)
      expect(JSON.stringify(rule['SourceSecurityGroupId'])).toMatch(/DatabaseClients|WorkerGroup/);
    for (const { Properties } of resources('AWS::EC2::Subnet')) expect(Properties['MapPublicIpOnLaunch']).toBe(false);
    template.hasResourceProperties('AWS::RDS::DBInstance', { PubliclyAccessible: false });
  });

  test('the worker leaves by 443, by Temporal’s port and to PostgreSQL; every other group leaves nowhere', () => {
    const egress = Object.entries(template.findResources('AWS::EC2::SecurityGroup')).map(
      ([id, { Properties }]) =>
        [id, (Properties as { SecurityGroupEgress: readonly Rule[] }).SecurityGroupEgress] as const,
    );
    const [worker] = egress.filter(([id]) => id.startsWith('WorkerGroup'));

    expect(JSON.stringify(worker?.[1])).toMatch(
      /"FromPort":443,.*TemporalOnOwnPort.*"Ref":"TemporalPort".*"PostgreSQL"/,
    );
    expect(worker?.[1]).toHaveLength(3);
    for (const [id, rules] of egress.filter(([name]) => name !== worker?.[0])) {
      expect([id, rules]).toEqual([id, [{ CidrIp: '127.0.0.1/32', Description: 'nothing', IpProtocol: '-1' }]]);
    }
  });

  test('S2.21 what starts a worker pulls one image, writes one log group and reads the secrets that it was given', () => {
    const statements = resources('AWS::IAM::Policy')
      .filter(({ Properties }) => JSON.stringify(Properties['Roles']).includes('ExecutionRole'))
      .flatMap(({ Properties }) => (Properties['PolicyDocument'] as { Statement: Statement[] }).Statement);

    expect(statements.filter(({ Resource }) => Resource === '*').map(({ Action }) => Action)).toEqual([
      'ecr:GetAuthorizationToken',
    ]);
    expect(JSON.stringify(statements.map(({ Action }) => Action))).not.toContain('*');
    const secrets = statements.find(({ Action }) => Action === 'secretsmanager:GetSecretValue');
    expect(JSON.stringify(secrets?.Resource).match(/\w+SecretArn/g)).toEqual(
      expect.arrayContaining([
        'PostgresSecretArn',
        'TemporalApiKeySecretArn',
        'TemporalCertificateSecretArn',
        'TemporalCaSecretArn',
        'PayloadKeysSecretArn',
      ]),
    );
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: { Statement: [Match.objectLike({ Action: 'kms:Decrypt', Resource: { Ref: 'SecretsKeyArn' } })] },
    });
  });

  test('S2.21 the task is nobody, writes only its scratch volume, has no capability, and nobody can log in', () => {
    const [definition] = resources('AWS::ECS::TaskDefinition');
    const containers = definition?.Properties['ContainerDefinitions'] as readonly Record<string, unknown>[];

    expect(containers).toHaveLength(2);
    for (const container of containers) {
      expect(container).toMatchObject({
        User: 'node',
        ReadonlyRootFilesystem: true,
        LinuxParameters: { Capabilities: { Drop: ['ALL'] } },
        MountPoints: [{ ContainerPath: '/scratch', SourceVolume: 'scratch' }],
      });
      expect(container['PortMappings']).toBeUndefined();
    }
    template.hasResourceProperties('AWS::ECS::Service', { EnableExecuteCommand: false });
  });
});

describe('The runtime template: secrets and data', () => {
  test('S2.23 a secret is named, never given: neither a parameter, a default nor a variable holds one', () => {
    const parameters = Object.keys(template.toJSON()['Parameters'] as object);

    expect(
      parameters
        .filter((name) => /password|key|secret|token|certificate/i.test(name))
        .filter((name) => !name.endsWith('Arn')),
    ).toEqual([]);
    expect(text).not.toMatch(
      /"MasterUserPassword"|SecretString|GenerateSecretString|resolve:secretsmanager|BEGIN [A-Z ]*KEY/,
    );
    const variables = text.match(/"Environment":\[.*?\],"/)?.[0] ?? '';
    expect(variables).toContain('TEMPORAL_ADDRESS');
    expect(variables).not.toMatch(/PGPASSWORD|API_KEY|PAYLOAD_KEYS|_DATA"/);
  });

  test('S2.23 S2.24 S2.27 a new database encrypts, speaks TLS only, pauses at nothing, keeps backups, and is not deleted by accident', () => {
    template.hasResource('AWS::RDS::DBCluster', {
      Condition: 'NewDatabase',
      DeletionPolicy: 'Snapshot',
      UpdateReplacePolicy: 'Snapshot',
      Properties: {
        StorageEncrypted: true,
        ManageMasterUserPassword: true,
        DeletionProtection: { Ref: 'AuroraDeletionProtection' },
        ServerlessV2ScalingConfiguration: {
          MinCapacity: 0,
          MaxCapacity: { Ref: 'AuroraMaxAcu' },
          SecondsUntilAutoPause: 3600,
        },
        BackupRetentionPeriod: 14,
      },
    });
    template.hasParameter('AuroraDeletionProtection', { Default: 'true' });
    template.hasResourceProperties('AWS::RDS::DBClusterParameterGroup', {
      Parameters: Match.objectLike({ 'rds.force_ssl': '1' }),
    });
  });

  test('logs end after a month, and PostgreSQL’s, which would quote records, do not leave it', () => {
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
    template.hasResourceProperties('AWS::RDS::DBCluster', { EnableCloudwatchLogsExports: Match.absent() });
    template.hasResourceProperties('AWS::RDS::DBClusterParameterGroup', {
      Parameters: Match.objectLike({ log_min_error_statement: 'panic' }),
    });
  });

  test('S2.27 what costs by the hour beside one worker is made only where asked for', () => {
    const conditions = (type: string) => [...new Set(resources(type).map(({ Condition }) => Condition))];

    expect(conditions('AWS::EC2::NatGateway')).toEqual(['LeavesByNatGateway']);
    expect(conditions('AWS::EC2::EIP')).toEqual(['LeavesByNatGateway']);
    expect(conditions('AWS::EC2::FlowLog')).toEqual(['LogsTraffic']);
    expect(conditions('AWS::RDS::DBInstance')).toEqual(['NewDatabase']);
    const endpoints = resources('AWS::EC2::VPCEndpoint').map(({ Condition, Properties }) =>
      [Properties['VpcEndpointType'], Condition].join(),
    );
    expect([...new Set(endpoints)].sort()).toEqual(['Gateway,NewNetwork', 'Interface,ReachesAwsInside']);
    template.hasParameter('Egress', { Default: 'public-address' });
    for (const name of ['InterfaceEndpoints', 'FlowLogs']) template.hasParameter(name, { Default: 'false' });
  });
});

describe('The runtime template: the service', () => {
  test('a release whose tasks are not healthy is rolled back, and no worker stops before another is there', () => {
    template.hasResourceProperties('AWS::ECS::Service', {
      LaunchType: 'FARGATE',
      DesiredCount: Match.absent(),
      DeploymentConfiguration: {
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
      },
    });
  });

  test('a worker is given more time to stop than its activities are', () => {
    const grace = Number(/shutdownGraceTime: '(\d+) seconds'/.exec(read('worker/tuning.ts'))?.[1]);
    const stop = Number(/"StopTimeout":(\d+)/.exec(text)?.[1]);

    expect(grace).toBeGreaterThan(0);
    expect(stop).toBeGreaterThan(2 * grace);
    expect(stop).toBeLessThanOrEqual(120); // Fargate's limit
  });

  test('S1.9 the number of workers follows the metric that workers report, between the given bounds', () => {
    const ofQueue = {
      Namespace: QUEUE_METRIC.namespace,
      MetricName: QUEUE_METRIC.name,
      Dimensions: [{ Name: QUEUE_METRIC.dimension, Value: DEFAULT_TASK_QUEUE }],
    };
    const alarms = resources('AWS::CloudWatch::Alarm');

    for (const { Properties } of alarms) expect(Properties).toMatchObject(ofQueue);
    expect(alarms.map(({ Properties }) => JSON.stringify(Properties['AlarmActions'])).sort()).toEqual([
      expect.stringMatching(/ImportValue.*MeridianOutcomeTopicArn/),
      expect.stringMatching(/ScalingFewer/),
      expect.stringMatching(/ScalingMore/),
    ]);
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: { Ref: 'MinWorkers' },
      MaxCapacity: { Ref: 'MaxWorkers' },
    });
    expect(text).toContain(`{"Name":"MERIDIAN_TASK_QUEUE","Value":"${DEFAULT_TASK_QUEUE}"}`);
  });

  test('memory for DuckDB and 512 MiB for the rest fit into every size', () => {
    const { WorkerSizes } = template.toJSON()['Mappings'] as {
      WorkerSizes: Readonly<Record<string, { Memory: string; DuckdbMb: string }>>;
    };

    for (const [size, { Memory, DuckdbMb }] of Object.entries(WorkerSizes))
      expect([size, Number(DuckdbMb) + 512 <= Number(Memory)]).toEqual([size, true]);
  });

  test('S2.25 CreateStack takes the template as it is: no assets, no bootstrap', () => {
    expect(text).not.toMatch(/BootstrapVersion|AssetParameters|cdk-hnb659fds|AWS::CDK::Metadata/);
    expect(text).not.toMatch(/\b\d{12}\b/);
    expect(Buffer.byteLength(text)).toBeLessThan(51_200);
  });
});

describe('The worker’s image', () => {
  const dockerfile = read('infra/aws/images/worker/Dockerfile');
  const lines = dockerfile.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const copied = lines.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(' ').slice(1, -1));

  test('is made from the exact Node.js that everything is tested on', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };

    expect(lines.filter((line) => line.startsWith('FROM')).map((line) => line.split(' ')[1])).toEqual(
      Array(2).fill(`node:${dependencies['node']}-bookworm-slim`),
    );
    expect(dockerfile).toMatch(/^RUN npm ci --omit=dev --ignore-scripts/m);
  });

  test('S2.21 runs as nobody, with the scratch volume of the task as its own', () => {
    expect(lines.indexOf('USER node')).toBeGreaterThan(lines.findLastIndex((line) => line.startsWith('RUN')));
    expect(dockerfile).toContain('chown node:node /scratch');
    expect(lines).toContain('VOLUME /scratch');
    expect(text).toContain('"Value":"/scratch/worker"');
  });

  test('starts what `meridian worker` starts, and has the files that the task names', () => {
    expect(lines.slice(-2)).toEqual(['ENTRYPOINT ["node", "bin/meridian.js"]', 'CMD ["worker"]']);
    expect(text).toContain('"Command":["worker"]');
    expect(text).toContain('"Command":["CMD","node","healthy.mjs"]');
    expect(copied).toContain('infra/aws/images/worker/healthy.mjs');
    expect(dockerfile).toContain(' /etc/meridian/rds-ca.pem');
    expect(text).toContain('"/etc/meridian/rds-ca.pem"');
  });

  test('holds every file that a worker and its migration import, and nothing that is not there', () => {
    const needed = sourcesReachedFrom('cli/main.ts', 'cli/worker.ts', 'cli/migrate.ts', 'workflows/index.ts', 'workflows/scheduled-inputs.ts');
    const ignored = read('infra/aws/images/worker/Dockerfile.dockerignore').split('\n');

    expect(needed).toEqual(expect.arrayContaining(['worker/main.ts', 'sql/migrate.ts']));
    expect(needed.filter((path) => !copied.some((source) => path === source || path.startsWith(`${source}/`)))).toEqual(
      [],
    );
    for (const source of copied) expect(readdirSync(join(ROOT, source, '..'))).toContain(source.split('/').at(-1));
    for (const source of copied) expect([source, ignored.includes(`!${source.split('/')[0]}`)]).toEqual([source, true]);
  });
});

/** All files of this repository that the given ones import, of whatever depth, at run time or for types; not other commands, which are loaded when asked for. */
function sourcesReachedFrom(...entries: readonly string[]): readonly string[] {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const [, from = ''] of read(path).matchAll(/ from '(\.[^']*)'/g)) {
      const base = join(path, '..', from);
      const folder = join(ROOT, base, '..');
      visit(readdirSync(folder).includes(`${base.split('/').at(-1)}.ts`) ? `${base}.ts` : join(base, 'index.ts'));
    }
  };
  entries.forEach(visit);
  return [...reached].sort();
}
