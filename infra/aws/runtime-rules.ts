import { CfnRule, Fn, type ICfnConditionExpression } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { NOWHERE, TASK_COUNTS_LEAST, TASK_COUNTS_MOST } from './runtime-choices';
import type { RuntimeParameter, RuntimeParameters } from './runtime-parameters';

/** What must hold, in words that go on after "expected that". */
type Assertion = readonly [ICfnConditionExpression, string];

/** Contradictions among parameters, which are named before anything is made. A rule may use neither Fn::If nor Fn::Join. */
export function declareRules(scope: Construct, parameters: RuntimeParameters): void {
  const is = (name: RuntimeParameter, value: string) => Fn.conditionEquals(parameters[name].valueAsString, value);
  const isGiven = (name: RuntimeParameter) => Fn.conditionNot(is(name, ''));
  const rule = (id: string, when: ICfnConditionExpression | undefined, ...asserts: readonly Assertion[]) => {
    const assertions = asserts.map(([assert, assertDescription]) => ({ assert, assertDescription }));
    new CfnRule(scope, id, when === undefined ? { assertions } : { ruleCondition: when, assertions });
  };

  rule(
    'OnePostgres',
    undefined,
    [Fn.conditionOr(isGiven('PostgresHost'), isGiven('AuroraMaxAcu')), 'PostgresHost names an existing PostgreSQL, or AuroraMaxAcu asks for a new one'],
    [Fn.conditionOr(is('PostgresHost', ''), is('AuroraMaxAcu', '')), 'only one of PostgresHost, an existing PostgreSQL, and AuroraMaxAcu, a new one, is given'],
  );
  rule(
    'ExistingPostgres',
    isGiven('PostgresHost'),
    [isGiven('PostgresSecretArn'), 'PostgresSecretArn comes with PostgresHost: a secret with username and password'],
    [Fn.conditionNot(is('PostgresCidr', NOWHERE)), 'PostgresCidr comes with PostgresHost: the addresses that the worker may connect to'],
  );
  rule(
    'NewPostgres',
    isGiven('AuroraMaxAcu'),
    [is('PostgresSecretArn', ''), 'PostgresSecretArn is empty with AuroraMaxAcu, which makes its own secret'],
    [is('PostgresCidr', NOWHERE), 'PostgresCidr is left alone with AuroraMaxAcu, which makes its own network rules'],
    [is('PostgresCa', 'rds'), 'PostgresCa is rds with AuroraMaxAcu: those CAs sign its certificate'],
  );
  rule(
    'ExistingNetwork',
    isGiven('VpcId'),
    [isGiven('SubnetIds'), 'SubnetIds come with VpcId: at least two of its subnets'],
    [is('Egress', 'public-address'), 'Egress is left alone with VpcId: it is of a new network'],
    [is('InterfaceEndpoints', 'false'), 'InterfaceEndpoints is false with VpcId: they are made in a new network'],
    [is('FlowLogs', 'false'), 'FlowLogs is false with VpcId: they are of a new network'],
  );
  rule('NewNetwork', is('VpcId', ''), [is('SubnetIds', ''), 'VpcId comes with SubnetIds: the network that they are of']);

  const authentication = (value: string) => is('TemporalAuthentication', value);
  rule('TemporalApiKey', authentication('api-key'), [isGiven('TemporalApiKeySecretArn'), 'TemporalApiKeySecretArn comes with the authentication api-key']);
  rule('TemporalCertificate', authentication('mtls'), [isGiven('TemporalCertificateSecretArn'), 'TemporalCertificateSecretArn comes with the authentication mtls']);
  rule(
    'TemporalUnused',
    undefined,
    [Fn.conditionOr(authentication('api-key'), is('TemporalApiKeySecretArn', '')), 'TemporalApiKeySecretArn is empty unless the authentication is api-key'],
    [Fn.conditionOr(authentication('mtls'), is('TemporalCertificateSecretArn', '')), 'TemporalCertificateSecretArn is empty unless the authentication is mtls'],
    [Fn.conditionOr(Fn.conditionNot(authentication('plaintext')), is('TemporalCaSecretArn', '')), 'TemporalCaSecretArn is empty with the authentication plaintext'],
  );
  for (const least of TASK_COUNTS_LEAST) {
    const most = TASK_COUNTS_MOST.filter((count) => (least === '0' ? count === '0' : Number(count) >= Number(least)));
    rule(`WorkersFrom${least}`, is('MinWorkers', least), [
      Fn.conditionContains(most, parameters.MaxWorkers.valueAsString),
      least === '0' ? 'MaxWorkers is 0 with MinWorkers 0: no worker would report that tasks wait' : `MaxWorkers is at least MinWorkers, ${least}`,
    ]);
  }
}
