import { CloudFormationClient, DescribeStacksCommand, ListChangeSetsCommand } from '@aws-sdk/client-cloudformation';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { TEMPLATE_BODY_LIMIT } from '../../infra/deploy/change-set';
import { deployStack, type DeploymentHooks, UNASKED } from '../../infra/deploy/deploy-stack';
import type { DeploymentPlan } from '../../infra/deploy/plan';
import type { Template, TemplateResource } from '../../infra/deploy/template';
import { localTarget } from '../../infra/local/deploy';
import { type LocalAws, startLocalAws } from '../support/local-aws';

let aws: LocalAws;
let cloudformation: CloudFormationClient;
let s3: S3Client;

beforeAll(async () => {
  aws = await startLocalAws();
  cloudformation = new CloudFormationClient(aws.clientConfig);
  s3 = new S3Client(aws.clientConfig);
});
afterAll(async () => await aws.stop());

const bucket = (Properties: TemplateResource['Properties'] = {}): TemplateResource => ({
  Type: 'AWS::S3::Bucket',
  DeletionPolicy: 'Retain',
  UpdateReplacePolicy: 'Retain',
  Properties,
});
const role = (...Action: readonly string[]): TemplateResource => ({
  Type: 'AWS::IAM::Role',
  Properties: {
    AssumeRolePolicyDocument: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'glue.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    },
    Policies: [
      {
        PolicyName: 'own',
        PolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: { 'Fn::GetAtt': ['Lake', 'Arn'] } }] },
      },
    ],
  },
});
const orphan: TemplateResource = {
  Type: 'AWS::Glue::Table',
  Properties: { CatalogId: '1', DatabaseName: 'nowhere', TableInput: { Name: 't' } },
};

/** Deploys and gives the plan that was shown. */
async function deploy(stack: string, template: Template, parameters: Readonly<Record<string, string>> = {}, answer = true) {
  const shown: { plan?: DeploymentPlan } = {};
  const hooks: DeploymentHooks = {
    ...UNASKED,
    confirm: (plan) => {
      shown.plan = plan;
      return Promise.resolve(answer);
    },
  };
  const deployed = await deployStack(localTarget(cloudformation), { stack, template, parameters }, hooks);
  return { plan: shown.plan, deployed };
}
const actions = (plan: DeploymentPlan | undefined) =>
  Object.fromEntries((plan?.resources ?? []).map(({ logicalId, action }) => [logicalId, action]));
const buckets = async () => ((await s3.send(new ListBucketsCommand({}))).Buckets ?? []).map(({ Name }) => Name ?? '');
const statusOf = async (stack: string) => {
  try {
    return (await cloudformation.send(new DescribeStacksCommand({ StackName: stack }))).Stacks?.[0]?.StackStatus;
  } catch {
    return undefined;
  }
};

describe('S2.25 a plan before anything is done', () => {
  test('says what is added, changed, replaced, deleted and left, who may do what anew, and what comes out', async () => {
    await deploy('Planned', {
      Parameters: { Zone: { Type: 'String', Default: 'a' }, Secret: { Type: 'String', NoEcho: true, Default: 'x' } },
      Resources: {
        Lake: bucket(),
        Old: bucket(),
        Queue: { Type: 'AWS::SQS::Queue' },
        Role: role('s3:GetObject'),
        Topic: { Type: 'AWS::SNS::Topic', Properties: { TopicName: 'planned-one' } },
      },
      Outputs: { Lake: { Value: { Ref: 'Lake' } } },
    });

    const { plan } = await deploy(
      'Planned',
      {
        Parameters: { Zone: { Type: 'String', Default: 'a' }, Secret: { Type: 'String', NoEcho: true, Default: 'x' } },
        Resources: {
          Lake: bucket({ VersioningConfiguration: { Status: 'Enabled' } }),
          Role: role('s3:PutObject'),
          Added: bucket(),
          Topic: { Type: 'AWS::SNS::Topic', Properties: { TopicName: 'planned-other' } },
        },
        Outputs: { Lake: { Value: { Ref: 'Lake' } }, Added: { Value: { Ref: 'Added' } } },
      },
      { Zone: 'b', Secret: 'y' },
      false,
    );

    expect(actions(plan)).toEqual({ Added: 'add', Lake: 'change', Role: 'change', Topic: 'replace', Old: 'leave', Queue: 'delete' });
    expect(plan?.resources.find(({ logicalId }) => logicalId === 'Lake')?.properties.map(({ name }) => name)).toEqual([
      'VersioningConfiguration',
    ]);
    expect(plan?.permissions).toEqual([
      { change: 'remove', resource: 'Role', statement: 'Allow do s3:GetObject on ${Lake.Arn}' },
      { change: 'add', resource: 'Role', statement: 'Allow do s3:PutObject on ${Lake.Arn}' },
    ]);
    expect(plan?.parameters).toEqual([{ name: 'Zone', before: 'a', after: 'b' }]);
    expect(plan?.outputs.map(({ name }) => name)).toEqual(['Added']);
    expect(JSON.stringify(plan)).not.toContain('"y"');
  });

  test('what is not confirmed is not done, and leaves neither a change set nor a stack', async () => {
    const before = await buckets();

    const { plan, deployed } = await deploy('Declined', { Resources: { Lake: bucket() } }, {}, false);

    expect([plan?.kind, deployed]).toEqual(['create', undefined]);
    expect(await statusOf('Declined')).toBeUndefined();
    expect(await buckets()).toEqual(before);
    await deploy('Kept', { Resources: { Lake: bucket() } });
    await deploy('Kept', { Resources: { Lake: bucket(), More: bucket() } }, {}, false);
    expect(
      (await cloudformation.send(new ListChangeSetsCommand({ StackName: 'Kept' }))).Summaries?.filter(
        ({ ExecutionStatus }) => ExecutionStatus === 'AVAILABLE',
      ),
    ).toEqual([]);
  });

  test('the same again is no change; one property changed is that property alone', async () => {
    const template = { Resources: { Lake: bucket(), Queue: { Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeout: 30 } } } };
    await deploy('Again', template);

    const again = await deploy('Again', template);
    const { plan } = await deploy('Again', {
      Resources: { ...template.Resources, Queue: { Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeout: 60 } } },
    });

    expect([again.plan?.kind, again.deployed?.change]).toEqual(['none', 'none']);
    expect(plan?.resources.map(({ logicalId, properties }) => [logicalId, properties.map(({ name }) => name)])).toEqual([
      ['Queue', ['VisibilityTimeout']],
    ]);
  });

  test('what a parameter turns on is planned and made, and turned off again', async () => {
    const template: Template = {
      Parameters: { More: { Type: 'String', Default: 'no' } },
      Conditions: { HasMore: { 'Fn::Equals': [{ Ref: 'More' }, 'yes'] } },
      Resources: { Lake: bucket(), Extra: { Type: 'AWS::SQS::Queue', Condition: 'HasMore' } },
    };
    await deploy('Optional', template);

    const on = await deploy('Optional', template, { More: 'yes' });
    const kept = await deploy('Optional', template);
    const off = await deploy('Optional', template, { More: 'no' });

    expect([actions(on.plan), Object.keys(on.deployed?.resources ?? {}).sort()]).toEqual([{ Extra: 'add' }, ['Extra', 'Lake']]);
    expect(kept.plan?.kind).toBe('none');
    expect([actions(off.plan), Object.keys(off.deployed?.resources ?? {})]).toEqual([{ Extra: 'delete' }, ['Lake']]);
  });

  test('an output that comes alone is deployed', async () => {
    await deploy('Output', { Resources: { Lake: bucket() } });

    const { deployed } = await deploy('Output', { Resources: { Lake: bucket() }, Outputs: { Lake: { Value: { Ref: 'Lake' } } } });

    expect(deployed?.outputs['Lake']).toBe(deployed?.resources['Lake']);
  });
});

describe('a template that is longer than a request', () => {
  const long: Template = { Parameters: { Padding: { Type: 'String', Default: 'x'.repeat(4_000) } }, Resources: { Lake: bucket() } };
  const template = {
    ...long,
    Outputs: Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`Text${n}`, { Value: 'y'.repeat(3_000) }])),
  };

  test('is read from a bucket, of which nothing stays', async () => {
    const before = await buckets();

    const deployed = await deployStack(localTarget(cloudformation, s3), { stack: 'Long', template, parameters: {} }, UNASKED);

    expect(JSON.stringify(template).length).toBeGreaterThan(TEMPLATE_BODY_LIMIT);
    expect((await buckets()).filter((name) => !before.includes(name))).toEqual([deployed?.resources['Lake']]);
  });

  test('is refused with the next step where there is no bucket for it', async () => {
    await expect(deploy('Longer', template)).rejects.toThrow(
      /Longer has \d+ bytes, of which a request takes 51200, .* `meridian deploy --target aws --stack deployment`/,
    );
    expect(await statusOf('Longer')).toBeUndefined();
  });
});

describe('S1.11 a deployment that cannot be done', () => {
  test('names every fault of its parameters before anything is created', async () => {
    const template: Template = {
      Parameters: { Zone: { Type: 'String', AllowedValues: ['a', 'b'] }, Owner: { Type: 'String' } },
      Resources: { Lake: bucket() },
    };

    await expect(deploy('Faulty', template, { Zone: 'c' })).rejects.toThrow(
      /Nothing was changed: the parameters of stack Faulty have 2 fault\(s\)\n.*Zone: expected one of "a", "b", found "c".*\n.*Owner has no value/,
    );

    expect(await statusOf('Faulty')).toBeUndefined();
  });

  test('a creation that fails half-way names the first failed resource and leaves nothing, not even what is kept otherwise', async () => {
    const before = await buckets();

    await expect(
      deploy('Broken', { Resources: { Lake: bucket(), Orphan: { ...orphan, DependsOn: 'Lake' } as TemplateResource } }),
    ).rejects.toThrow(
      /Broken ended in ROLLBACK_COMPLETE: Orphan \(AWS::Glue::Table\): .*nowhere.*What had been created is deleted again: correct the cause and deploy again/s,
    );

    expect(await buckets()).toEqual(before);
    expect((await deploy('Broken', { Resources: { Lake: bucket() } })).deployed?.change).toBe('created');
  });

  test('an update that fails half-way leaves the stack as it was', async () => {
    const first = await deploy('Half', { Resources: { Lake: bucket() }, Outputs: { Lake: { Value: { Ref: 'Lake' } } } });
    const before = await buckets();

    await expect(
      deploy('Half', {
        Resources: {
          Lake: bucket({ VersioningConfiguration: { Status: 'Enabled' } }),
          More: bucket(),
          Orphan: { ...orphan, DependsOn: 'More' } as TemplateResource,
        },
      }),
    ).rejects.toThrow(/Half ended in UPDATE_ROLLBACK_COMPLETE: Orphan \(AWS::Glue::Table\): .*The stack is as it was before/s);

    expect(await buckets()).toEqual(before);
    const again = await deploy('Half', { Resources: { Lake: bucket() }, Outputs: { Lake: { Value: { Ref: 'Lake' } } } });
    expect(again.deployed?.outputs).toEqual(first.deployed?.outputs);
  });

  test('of two plans, the one that was made over an older stack is refused', async () => {
    await deploy('Overtaken', { Resources: { Lake: bucket() } });
    const hooks: DeploymentHooks = {
      ...UNASKED,
      confirm: async () => {
        await deploy('Overtaken', { Resources: { Lake: bucket(), Other: bucket() } });
        return true;
      },
    };

    const overtaken = deployStack(
      localTarget(cloudformation),
      { stack: 'Overtaken', template: { Resources: { Lake: bucket(), Mine: bucket() } }, parameters: {} },
      hooks,
    );

    await expect(overtaken).rejects.toThrow('Nothing was changed: stack Overtaken has been changed since this was planned');
  });
});
