import { BootstraplessSynthesizer, CfnOutput, type IStackSynthesizer, Stack, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Database } from './database';
import { Endpoints } from './endpoints';
import { Network } from './network';
import { declareParameters } from './runtime-parameters';
import { declareRules } from './runtime-rules';
import { WorkerScaling } from './worker-scaling';
import { WorkerService } from './worker-service';

/** What the CDK's own look at the template says and does not mean here. */
const ACKNOWLEDGED = [
  { id: 'CloudFormation-Validate::E1154', reason: 'It reads the empty default of SubnetIds, which no service is made with' },
  {
    id: 'CloudFormation-Validate::W1001',
    reason: 'An Fn::If of the same condition stands around each reference to what may not be made',
  },
  { id: 'CloudFormation-Validate::W2509', reason: 'A parameter that names a secret holds its ARN, which is none' },
  { id: 'CloudFormation-Validate::W9052', reason: 'It says only that it did not look at everything' },
];

/**
 * What runs the worker on AWS: a network, PostgreSQL, and tasks of Fargate. A stack of its own, since it is deployed with every
 * release and may go without touching the data stack, whose outputs it imports by name (S2.25). Locally the worker is a process.
 * @see docs/decisions/0024-the-worker-s-stack-imports-the-data-stack.md
 */
export class RuntimeStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      // The cast: CDK's types are not written for exactOptionalPropertyTypes.
      synthesizer: new BootstraplessSynthesizer() as IStackSynthesizer,
      description: 'Meridian: the worker, its network and its PostgreSQL',
    });
    Validations.of(this).acknowledge(...ACKNOWLEDGED);
    const parameters = declareParameters(this);
    declareRules(this, parameters);
    const network = new Network(this, 'Network', { parameters });
    const database = new Database(this, 'Database', { parameters, network });
    const worker = new WorkerService(this, 'Worker', { parameters, network, database });
    new Endpoints(this, 'Endpoints', { parameters, network, clients: worker.group.attrGroupId });
    new WorkerScaling(this, 'Scaling', { parameters, worker });

    for (const [key, value, description] of [
      ['WorkerCluster', worker.cluster.ref, 'The ECS cluster of the worker'],
      ['WorkerService', worker.service.attrName, 'The ECS service of the worker'],
      ['WorkerLogGroup', worker.logs.ref, 'Where workers log'],
      ['DatabaseHost', database.host, 'Host of PostgreSQL'],
      ['DatabaseSecretArn', database.secretArn, 'Secret with the user of PostgreSQL and its password'],
      ['DatabaseClientsGroup', database.clients.attrGroupId, 'Security group that an existing PostgreSQL lets in'],
    ] as const) {
      new CfnOutput(this, key, { value, description });
    }
  }
}
