import { CfnRule, Fn, type ICfnConditionExpression } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { TASK_COUNTS_LEAST, TASK_COUNTS_MOST } from './runtime-choices';
import type { RuntimeParameter, RuntimeParameters } from './runtime-parameters';

/** Contradictions among parameters, which CloudFormation names before it makes anything. A rule may use neither Fn::If nor Fn::Join. */
export function declareRules(scope: Construct, parameters: RuntimeParameters): void {
  const is = (name: RuntimeParameter, value: string) => Fn.conditionEquals(parameters[name].valueAsString, value);
  const isGiven = (name: RuntimeParameter) => Fn.conditionNot(is(name, ''));
  const rule = (
    id: string,
    when: ICfnConditionExpression | undefined,
    ...asserts: readonly (readonly [ICfnConditionExpression, string])[]
  ) => {
    new CfnRule(scope, id, {
      ...(when === undefined ? {} : { ruleCondition: when }),
      assertions: asserts.map(([assert, assertDescription]) => ({ assert, assertDescription })),
    });
  };

  rule(
    'OnePostgres',
    undefined,
    [
      Fn.conditionOr(isGiven('PostgresHost'), isGiven('AuroraMaxAcu')),
      'No PostgreSQL: give PostgresHost of an existing one, or AuroraMaxAcu for a new Aurora cluster',
    ],
    [
      Fn.conditionOr(is('PostgresHost', ''), is('AuroraMaxAcu', '')),
      'Two PostgreSQL: PostgresHost names an existing one and AuroraMaxAcu asks for a new one; leave one of them empty',
    ],
  );
  rule(
    'ExistingPostgres',
    isGiven('PostgresHost'),
    [isGiven('PostgresSecretArn'), 'PostgresHost needs PostgresSecretArn, a secret with username and password'],
    [isGiven('PostgresCidr'), 'PostgresHost needs PostgresCidr, the addresses that the worker may connect to'],
  );
  rule(
    'NewPostgres',
    isGiven('AuroraMaxAcu'),
    [is('PostgresSecretArn', ''), 'AuroraMaxAcu makes its own secret: leave PostgresSecretArn empty'],
    [is('PostgresCidr', ''), 'AuroraMaxAcu makes its own network rules: leave PostgresCidr empty'],
    [
      is('PostgresCa', 'rds'),
      'AuroraMaxAcu makes a cluster whose certificate the CAs of Amazon RDS sign: leave PostgresCa at rds',
    ],
  );
  rule(
    'ExistingNetwork',
    isGiven('VpcId'),
    [isGiven('SubnetIds'), 'VpcId needs SubnetIds, at least two of its subnets'],
    [is('Egress', 'public-address'), 'Egress is of a new network: leave it at its default with VpcId'],
    [
      is('InterfaceEndpoints', 'false'),
      'InterfaceEndpoints are made in a new network only: set it to false with VpcId',
    ],
    [is('FlowLogs', 'false'), 'FlowLogs are of a new network only: set it to false with VpcId'],
  );
  rule('NewNetwork', is('VpcId', ''), [
    is('SubnetIds', ''),
    'SubnetIds without VpcId: name the network that they are of',
  ]);

  const authentication = (value: string) => is('TemporalAuthentication', value);
  rule('TemporalApiKey', authentication('api-key'), [
    isGiven('TemporalApiKeySecretArn'),
    'TemporalAuthentication api-key needs TemporalApiKeySecretArn: without it Temporal Cloud refuses the worker',
  ]);
  rule('TemporalCertificate', authentication('mtls'), [
    isGiven('TemporalCertificateSecretArn'),
    'TemporalAuthentication mtls needs TemporalCertificateSecretArn, a secret with certificate and privateKey',
  ]);
  rule(
    'TemporalUnused',
    undefined,
    [
      Fn.conditionOr(authentication('api-key'), is('TemporalApiKeySecretArn', '')),
      'TemporalApiKeySecretArn is given but TemporalAuthentication is not api-key',
    ],
    [
      Fn.conditionOr(authentication('mtls'), is('TemporalCertificateSecretArn', '')),
      'TemporalCertificateSecretArn is given but TemporalAuthentication is not mtls',
    ],
    [
      Fn.conditionOr(Fn.conditionNot(authentication('plaintext')), is('TemporalCaSecretArn', '')),
      'TemporalCaSecretArn is given but TemporalAuthentication is plaintext',
    ],
  );
  for (const least of TASK_COUNTS_LEAST) {
    const most = TASK_COUNTS_MOST.filter((count) => (least === '0' ? count === '0' : Number(count) >= Number(least)));
    rule(`WorkersFrom${least}`, is('MinWorkers', least), [
      Fn.conditionContains(most, parameters.MaxWorkers.valueAsString),
      least === '0'
        ? 'MinWorkers 0 needs MaxWorkers 0: no worker would be there to report that tasks wait'
        : `MaxWorkers must be at least MinWorkers, ${least}`,
    ]);
  }
}
