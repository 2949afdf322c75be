import { Aws, CfnCondition, Fn } from 'aws-cdk-lib';
import { CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { CfnPolicy, Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acceptFinding, acceptWildcards } from './accepted-findings';
import { imported } from './imported';
import { SCRATCH, WorkerEnvironment } from './worker-environment';
import type { WorkerTaskProps } from './worker-task-props';

/** Beyond the worker's own grace for running activities; Fargate allows 120. */
const STOP_SECONDS = 90;
const MIGRATE_SECONDS = 120; // Fargate allows no more; a paused cluster takes some fifteen to wake

/**
 * One worker as Fargate runs it: the schema is brought to this release's, then the worker polls. It may write nothing but its
 * scratch volume, is nobody in its container, and nobody can log in (S2.21).
 */
export class WorkerTask extends Construct {
  readonly definition: CfnTaskDefinition;

  constructor(scope: Construct, id: string, { parameters, database, logs }: WorkerTaskProps) {
    super(scope, id);
    const { DataStack, WorkerImageTag, WorkerSize, WorkerArchitecture, ScratchGib } = parameters;
    const environment = new WorkerEnvironment(this, parameters, database);
    const container = (name: string): CfnTaskDefinition.ContainerDefinitionProperty => ({
      name,
      image: Fn.join(':', [imported(DataStack, 'WorkerImageRepositoryUri'), WorkerImageTag.valueAsString]),
      environment: environment.variables,
      readonlyRootFilesystem: true,
      user: 'node',
      linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
      mountPoints: [{ sourceVolume: 'scratch', containerPath: SCRATCH, readOnly: false }],
      logConfiguration: {
        logDriver: 'awslogs',
        options: {
          'awslogs-group': logs.ref,
          'awslogs-region': Aws.REGION,
          'awslogs-stream-prefix': name,
          mode: 'non-blocking',
        },
      },
    });
    this.definition = new CfnTaskDefinition(this, 'Definition', {
      family: Fn.join('-', [Aws.STACK_NAME, 'worker']),
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: environment.sizes.findInMap(WorkerSize.valueAsString, 'Cpu'),
      memory: environment.sizes.findInMap(WorkerSize.valueAsString, 'Memory'),
      runtimePlatform: { operatingSystemFamily: 'LINUX', cpuArchitecture: WorkerArchitecture.valueAsString },
      ephemeralStorage: { sizeInGiB: ScratchGib.valueAsNumber },
      taskRoleArn: imported(DataStack, 'WorkerRoleArn'),
      executionRoleArn: this.executionRole(parameters, environment, logs.attrArn).roleArn,
      volumes: [{ name: 'scratch' }],
      containerDefinitions: [
        {
          ...container('migrate'),
          secrets: environment.databaseSecrets,
          essential: false,
          command: ['migrate', '--wait', String(MIGRATE_SECONDS - 30)],
          startTimeout: MIGRATE_SECONDS,
        },
        {
          ...container('worker'),
          secrets: environment.secrets,
          essential: true,
          command: ['worker'],
          dependsOn: [{ containerName: 'migrate', condition: 'SUCCESS' }],
          stopTimeout: STOP_SECONDS,
          healthCheck: {
            command: ['CMD', 'node', 'healthy.mjs'],
            interval: 30,
            timeout: 10,
            retries: 3,
            startPeriod: 120,
          },
        },
      ],
    });
    acceptFinding(this.definition, 'ECS2', 'Variables of the task name resources; what is secret is injected from Secrets Manager, and a test holds the two apart');
  }

  /** What starts a worker: pulls its one image, writes its one log group, reads the secrets that it is given. */
  private executionRole(
    { DataStack, SecretsKeyArn }: WorkerTaskProps['parameters'],
    { secretArns }: WorkerEnvironment,
    logGroupArn: string,
  ): Role {
    const role = new Role(this, 'ExecutionRole', {
      description: 'Meridian: starts workers',
      assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    });
    const allow = (actions: readonly string[], resources: readonly string[]) => {
      role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
    };
    allow(['ecr:GetAuthorizationToken'], ['*']);
    acceptWildcards(role, 'A token of ECR is of the whole registry: the action knows no resources', '*');
    allow(
      ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      [imported(DataStack, 'WorkerImageRepositoryArn')],
    );
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroupArn]);
    allow(['secretsmanager:GetSecretValue'], secretArns);

    const hasKey = new CfnCondition(this, 'HasKey', {
      expression: Fn.conditionNot(Fn.conditionEquals(SecretsKeyArn.valueAsString, '')),
    });
    hasKey.overrideLogicalId('HasSecretsKey');
    const decrypt = new CfnPolicy(this, 'Decrypt', {
      policyName: 'decrypt-secrets',
      roles: [role.roleName],
      policyDocument: new PolicyDocument({
        statements: [
          new PolicyStatement({
            effect: Effect.ALLOW,
            actions: ['kms:Decrypt'],
            resources: [SecretsKeyArn.valueAsString],
            conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.amazonaws.com` } },
          }),
        ],
      }),
    });
    decrypt.cfnOptions.condition = hasKey;
    return role;
  }
}
