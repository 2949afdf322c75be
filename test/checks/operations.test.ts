import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import prices from '../../infra/prices.json';
import { costTables } from '../../infra/costs/tables';
import { CYCLE, IDLE, type PriceName } from '../../infra/costs/usage';
import { WORKER_SIZES } from '../../infra/aws/worker-sizes';
import { meridianTemplates } from './meridian-templates';

interface Template {
  readonly Parameters?: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Condition?: string }>>;
}

const ROOT = join(__dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8');
const run = promisify(execFile);

describe('docs/operations.md', () => {
  const { files, remove } = meridianTemplates();
  afterAll(remove);
  const templates = new Map([...files].map(([stack, file]) => [stack, JSON.parse(readFileSync(file, 'utf8')) as Template]));
  const resources = (stack: string) => Object.values(templates.get(stack)?.Resources ?? {});
  const made = (stack: string, type: string, conditions: readonly string[]) =>
    resources(stack).filter(({ Type, Condition }) => Type === type && (Condition === undefined || conditions.includes(Condition))).length;
  const used = (stack: string, what: string) => IDLE[stack]?.find((use) => use.what === what)?.quantity;

  test('S2.27 has the costs that the prices come to', () => {
    expect(/<!-- costs -->\n([^]*?)<!-- end -->/.exec(page)?.[1]).toBe(costTables());
  });

  test('S2.27 what idles in the templates is what is counted', () => {
    const runtime = 'MeridianRuntime, one small worker';
    expect(used('Meridian (data)', 'alarms')).toBe(made('Meridian', 'AWS::CloudWatch::Alarm', []));
    expect(used('MeridianMonitoring', 'dashboard')).toBe(made('MeridianMonitoring', 'AWS::CloudWatch::Dashboard', []));
    expect(used(runtime, 'alarms')).toBe(made('MeridianRuntime', 'AWS::CloudWatch::Alarm', ['HasWorkers']));
    expect(used(runtime, 'vCPU of the worker')).toBe((Number(WORKER_SIZES.small.Cpu) / 1024) * 730);
    expect(used(runtime, 'memory of the worker')).toBe((Number(WORKER_SIZES.small.Memory) / 1024) * 730);
    expect(used('with interface endpoints', 'hours in two zones')).toBe(made('MeridianRuntime', 'AWS::EC2::VPCEndpoint', ['ReachesAwsInside']) * 2 * 730);
    expect(made('MeridianRuntime', 'AWS::EC2::NatGateway', ['LeavesByNatGateway'])).toBe(1);
    expect(made('Meridian', 'AWS::KMS::Key', ['HasLakeKey'])).toBe(1);
    // Whatever else costs by the hour or the month would be missing in the table.
    const hourly = /^AWS::(EC2::(NatGateway|VPCEndpoint|Instance)|ElasticLoadBalancing.*|RDS::DB(Cluster|Instance)|KMS::Key|SecretsManager::Secret|CloudWatch::Dashboard)$/;
    const always = [...templates.keys()].flatMap((stack) => resources(stack).filter(({ Type, Condition }) => hourly.test(Type) && Condition === undefined).map(({ Type }) => Type));
    expect(always).toEqual(['AWS::CloudWatch::Dashboard']);
  });

  test('a price has a source or is left open, and each is used', () => {
    for (const [name, { usd, page: official, readFrom }] of Object.entries(prices.prices)) {
      expect([name, official]).toEqual([name, expect.stringMatching(/^https:\/\//)]);
      expect([name, readFrom !== '']).toEqual([name, usd !== null]);
    }
    const inUse = new Set([...Object.values(IDLE).flat(), ...CYCLE].map(({ price }) => price));
    expect(Object.keys(prices.prices).filter((name) => !inUse.has(name as PriceName))).toEqual([]);
  });

  test('S1.10 S2.26 names commands, options and parameters that exist, as the workflows do', async () => {
    const folder = join(ROOT, '.github', 'workflows');
    const text = [page, ...readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'))].join('\n');
    const lines = [...text.replaceAll('\\\n', ' ').matchAll(/npx meridian ([a-z][^`\n]*)/g)].map(([, words = '']) => words.trim().split(' '));
    const commands = lines.map((words) => words.filter((word) => /^[a-z]+$/.test(word)).slice(0, words[0] === 'schedules' || words[0] === 'cycles' ? 2 : 1).join(' '));
    const helps = new Map(
      await Promise.all(
        [...new Set(commands)].map(async (command) => {
          const { stdout } = await run(process.execPath, [join(ROOT, 'bin', 'meridian.js'), ...command.split(' '), '--help'], { cwd: ROOT });
          return [command, stdout] as const;
        }),
      ),
    );

    expect(lines.length).toBeGreaterThan(15);
    for (const [index, words] of lines.entries()) {
      const help = helps.get(commands[index] ?? '') ?? '';
      expect(help).toContain(`meridian ${commands[index]}`);
      for (const option of words.filter((word) => word.startsWith('--'))) expect([words.join(' '), help.includes(option)]).toEqual([words.join(' '), true]);
    }
    const known = [...templates.values()].flatMap(({ Parameters = {} }) => Object.keys(Parameters));
    const named = [...page.matchAll(/--parameter ([A-Za-z]+)=/g), ...page.matchAll(/`((?:Worker|Temporal|Payload|Aurora|Postgres|Storage|Monthly|Max)[A-Z][A-Za-z]+)(?:=[^`]*)?`/g)].map(([, name = '']) => name);
    const outputs = ['WorkerImageRepositoryUri'];
    expect([...new Set(named)].filter((name) => !known.includes(name) && !outputs.includes(name))).toEqual([]);
  });
});
