import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { HeadBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deployCommand } from '../../cli/deploy';
import { destroyCommand } from '../../cli/destroy';
import { loadStackEnvironment } from '../../cli/environment';
import { UsageError } from '../../cli/output';
import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import { readSettings, writeSettings } from '../../infra/local/stack-env';
import { everythingIn } from '../support/aws-inventory';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { readWorkerConfig } from '../../worker/config';

const home = mkdtempSync(join(tmpdir(), 'meridian-commands-'));
const NAMES = [...Object.values(STACK_OUTPUTS), 'MERIDIAN_JOBS_URI'].sort();
let aws: LocalAws;
let unused: readonly string[];

interface Deployed {
  readonly stacks: readonly { readonly stack: string; readonly change: string; readonly outputs: Readonly<Record<string, string>> }[];
  readonly plans: readonly { readonly kind: string; readonly resources: readonly { readonly action: string }[] }[];
  readonly settings?: string;
}

beforeAll(async () => {
  aws = await startLocalAws();
  writeSettings(join(home, 'stack.env'), aws.env);
  unused = await everythingIn(aws, 'us-east-1');
});
afterAll(async () => {
  await aws.stop();
  rmSync(home, { recursive: true, force: true });
});

/** What a command says, and the exit code that its error stands for. */
async function meridian(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const before = process.env;
  process.env = { PATH: before['PATH'], HOME: before['HOME'], MERIDIAN_HOME: home, ...env };
  const said = { code: 0, stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    jest.spyOn(process[stream], 'write').mockImplementation((text) => {
      said[stream] += String(text);
      return true;
    }),
  );
  try {
    const [name, ...options] = args;
    await (name === 'deploy' ? deployCommand() : destroyCommand()).exitOverride().parseAsync(options, { from: 'user' });
  } catch (error) {
    said.code = error instanceof UsageError ? 2 : 1;
    said.stderr += String(error);
  } finally {
    spies.forEach((spy) => spy.mockRestore());
    process.env = before;
  }
  return said;
}
const stackOf = async (region: string) => {
  try {
    const found = await new CloudFormationClient({ ...aws.clientConfig, region }).send(
      new DescribeStacksCommand({ StackName: 'Meridian' }),
    );
    return found.Stacks?.[0]?.StackStatus;
  } catch {
    return undefined;
  }
};

describe('S1.11 meridian deploy and destroy, locally', () => {
  test('a plan does nothing; a deployment without a terminal needs --yes; slips are named before anything is done', async () => {
    const plan = await meridian(['deploy', '--target', 'local', '--plan']);
    const unasked = await meridian(['deploy', '--target', 'local']);
    const slip = await meridian(['deploy', '--target', 'local', '--yes', '--parameter', 'SparkImageTog=1']);
    const wrong = await meridian(['destroy', '--target', 'local', '--yes', '--delete-data', 'meridian']);

    expect([plan.code, plan.stdout]).toEqual([
      0,
      expect.stringMatching(
        /^Stack Meridian is created:\n {2}resources\n {4}\+ [^]*\(AWS::S3::Bucket\)[^]*who may do what[^]*Allow to Service glue.amazonaws.com do sts:AssumeRole/,
      ),
    ]);
    expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining('There is no terminal to ask on: say --yes')]);
    expect([slip.code, slip.stderr]).toEqual([
      2,
      expect.stringMatching(/--parameter: expected one of .*SparkImageTag.*, found SparkImageTog/),
    ]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('--delete-data: expected the name of the one stack that is meant, Meridian, found "meridian"'),
    ]);
    expect(await stackOf('us-east-1')).toBeUndefined();
  });

  test('S1.10 deployed, what workers read joins the settings; again is no change; destroyed with its data, nothing is left', async () => {
    const first = JSON.parse((await meridian(['deploy', '--target', 'local', '--yes', '--json'])).stdout) as Deployed;
    const again = JSON.parse((await meridian(['deploy', '--target', 'local', '--yes', '--json'])).stdout) as Deployed;

    expect([first, again].map(({ stacks }) => stacks.map(({ stack, change }) => [stack, change]))).toEqual([
      [['Meridian', 'created']],
      [['Meridian', 'none']],
    ]);
    const settings = readSettings(join(home, 'stack.env')) ?? {};
    expect(Object.keys(settings).sort()).toEqual([...NAMES, 'MERIDIAN_WORKER_ROLE_ARN', ...Object.keys(aws.env)].sort());

    const services = new Set(
      (await everythingIn(aws, 'us-east-1')).filter((each) => !unused.includes(each)).map((each) => each.split(' ')[0]),
    );
    expect([...services]).toEqual(
      expect.arrayContaining(['dynamodb', 'ecr', 'emr-serverless', 'glue', 'iam', 'monitoring', 's3', 'sns', 'sqs']),
    );
    const raw = settings['MERIDIAN_RAW_BUCKET'];
    const s3 = new S3Client({ ...aws.clientConfig, forcePathStyle: true });
    await s3.send(new PutObjectCommand({ Bucket: raw, Key: 'one', Body: 'old' }));
    await s3.send(new PutObjectCommand({ Bucket: raw, Key: 'one', Body: 'new' }));
    const destroyed = await meridian(['destroy', '--target', 'local', '--yes', '--delete-data', 'Meridian']);

    expect([destroyed.code, destroyed.stdout]).toEqual([0, 'Meridian is deleted; nothing of it is left\n']);
    expect(destroyed.stderr).toMatch(new RegExp(`DELETED WITH ALL THAT IS IN THEM[^]*${raw}`));
    expect(await everythingIn(aws, 'us-east-1')).toEqual(unused);
    expect(readSettings(join(home, 'stack.env'))).toEqual(aws.env);
  });
});

describe('S1.11 X14 meridian deploy and destroy, as on AWS', () => {
  const REGION = 'eu-west-1';
  const root = () => ({ ...aws.env, AWS_REGION: REGION });
  /** As a person has them after signing in: temporary credentials of a role. */
  const signedIn = async () => {
    const sts = new STSClient({ ...aws.clientConfig, region: REGION });
    const { Credentials } = await sts.send(
      new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::000000000000:role/deployer', RoleSessionName: 'ada' }),
    );
    return {
      ...root(),
      AWS_ACCESS_KEY_ID: Credentials?.AccessKeyId ?? '',
      AWS_SECRET_ACCESS_KEY: Credentials?.SecretAccessKey ?? '',
      AWS_SESSION_TOKEN: Credentials?.SessionToken ?? '',
    };
  };

  test("S2.21 a root user's credentials are refused, as is a region that is none", async () => {
    const refused = await meridian(['deploy', '--target', 'aws', '--yes'], root());
    const nowhere = await meridian(['deploy', '--target', 'aws', '--yes', '--region', 'mars'], root());

    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/Nothing was changed: these are credentials of account 0+'s root user/),
    ]);
    expect([nowhere.code, nowhere.stderr]).toEqual([
      2,
      expect.stringContaining('--region: expected an AWS region such as eu-central-1, found "mars"'),
    ]);
    expect(await stackOf(REGION)).toBeUndefined();
  });

  test('S2.26 where the deployment stack is, its bucket takes long templates; settings go to a file of the region that any command reads, without secrets; without --delete-data all data stays', async () => {
    const env = await signedIn();
    const provider = 'arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com';
    const deployer = await meridian(
      [
        'deploy',
        '--target',
        'aws',
        '--yes',
        '--stack',
        'deployment',
        '--parameter',
        'GitHubRepository=owner/name',
        '--parameter',
        `GitHubProviderArn=${provider}`,
      ],
      env,
    );
    expect([deployer.code, deployer.stdout]).toEqual([0, 'MeridianDeployment: created\nNothing that workers read has changed\n']);

    const deployed = JSON.parse((await meridian(['deploy', '--target', 'aws', '--yes', '--json'], env)).stdout) as Deployed;

    const file = join(home, 'deployments', `${REGION}.env`);
    expect([deployed.settings, deployed.stacks.map(({ change }) => change)]).toEqual([file, ['created']]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const settings = readSettings(file) ?? {};
    expect(Object.keys(settings).sort()).toEqual([...NAMES, 'AWS_REGION'].sort());
    expect(readFileSync(file, 'utf8')).not.toMatch(/SECRET|KEY|TOKEN|PASSWORD/);
    expect(await environmentFrom(file)).toMatchObject(settings);
    expect(() => readWorkerConfig(settings)).toThrow(
      /environment has 3 fault\(s\): PGHOST is not set; PGDATABASE is not set; PGUSER is not set/,
    );
    await expect(environmentFrom(`${file}.gone`)).rejects.toThrow(UsageError);

    const destroyed = await meridian(['destroy', '--target', 'aws', '--yes'], env);

    expect(destroyed.stdout).toMatch(
      new RegExp(`^Meridian is deleted. Kept, .*\n[^]*  ${settings['MERIDIAN_RAW_BUCKET']} \\(AWS::S3::Bucket\\)`),
    );
    await new S3Client({ ...aws.clientConfig, region: REGION, forcePathStyle: true }).send(
      new HeadBucketCommand({ Bucket: settings['MERIDIAN_RAW_BUCKET'] }),
    );
    expect(readSettings(file)).toBeUndefined();
    expect((await meridian(['destroy', '--target', 'aws', '--yes'], env)).stdout).toBe('There was no such stack\n');
  });
});

/** What commands find in their environment when that names a file of settings. */
async function environmentFrom(file: string): Promise<NodeJS.ProcessEnv> {
  const before = process.env;
  process.env = { MERIDIAN_ENV_FILE: file };
  try {
    await loadStackEnvironment();
    return process.env;
  } finally {
    process.env = before;
  }
}
