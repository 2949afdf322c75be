import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { meridianTemplates, type MeridianTemplates } from './meridian-templates';
import { runCheck } from './run-check';

interface Check {
  readonly check_id: string;
  readonly check_name: string;
  readonly file_path: string;
  /** `AWS::S3::Bucket.LogicalId` */
  readonly resource: string;
}

interface Report {
  readonly results: { readonly failed_checks: readonly Check[]; readonly passed_checks: readonly Check[]; readonly parsing_errors: readonly string[] };
}

interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties?: Readonly<Record<string, unknown>> }>>;
}

interface Accepted {
  readonly check: string;
  readonly resources: readonly string[];
  readonly reason: string;
}

const BROKEN = 'broken.template.json';
/** Parts that only join others, of which the joined are asserted. */
const WIRING = [
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::EC2::InternetGateway',
  'AWS::EC2::Route',
  'AWS::EC2::RouteTable',
  'AWS::EC2::SubnetRouteTableAssociation',
  'AWS::EC2::VPCGatewayAttachment',
  'AWS::Glue::Database',
  'AWS::RDS::DBSubnetGroup',
];
const accepted = JSON.parse(readFileSync(join(__dirname, 'checkov-accepted.json'), 'utf8')) as readonly Accepted[];

describe('checkov on every template, without the network', () => {
  let templates: MeridianTemplates;
  let scratch: string;
  let report: Report;

  beforeAll(async () => {
    templates = meridianTemplates();
    scratch = mkdtempSync(join(tmpdir(), 'meridian-checkov-'));
    for (const file of [...templates.files.values(), join(__dirname, BROKEN)]) copyFileSync(file, join(scratch, basename(file)));
    const offline = ['--skip-download', '--download-external-modules', 'false'];
    const { stdout, stderr } = await runCheck('checkov', ['--directory', scratch, '--framework', 'cloudformation', '--output', 'json', ...offline], scratch);
    if (!stdout.startsWith('{')) throw new Error(`checkov printed no report: ${stdout}${stderr}`);
    report = JSON.parse(stdout) as Report;
  });
  afterAll(() => {
    templates.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** `CKV_AWS_18 LogicalId`, of the app's templates. */
  const found = () => ours(report.results.failed_checks).map(({ check_id, resource }) => `${check_id} ${resource.split('.')[1] ?? resource}`);
  const excused = accepted.flatMap(({ check, resources }) => resources.map((resource) => `${check} ${resource}`));

  const resources = () => [...templates.files.values()].flatMap((file) => Object.values((JSON.parse(readFileSync(file, 'utf8')) as Template).Resources));

  test('S2.25 every template is read', () => {
    expect(report.results.parsing_errors).toEqual([]);
    const read = new Set(ours(report.results.passed_checks).map(({ file_path }) => basename(file_path)));
    // It has no check for what the monitoring stack is made of: dashboards, subscriptions, budgets, alarms.
    const checked = [...templates.files.values()].map((file) => basename(file)).filter((file) => file !== 'MeridianMonitoring.template.json');
    expect([...read].sort()).toEqual(checked.sort());
  });

  test('S2.21 S2.22 S2.23 what it finds is excused with a reason, by check and resource', () => {
    expect(found().filter((each) => !excused.includes(each))).toEqual([]);
    for (const { reason } of accepted) expect(reason.split(' ').length).toBeGreaterThanOrEqual(8);
  });

  test('S1.10 no excuse is left over or given twice', () => {
    expect(excused.filter((each) => !found().includes(each))).toEqual([]);
    expect(new Set(excused).size).toBe(excused.length);
  });

  test('S2.25 a type that it has no check for, such as EMR Serverless and data quality, is asserted by a test of our own', () => {
    const { passed_checks, failed_checks } = report.results;
    const checked = new Set(ours([...passed_checks, ...failed_checks]).map(({ resource }) => resource.split('.')[0]));
    const folder = join(__dirname, '..', 'infra');
    const asserted = readdirSync(folder).filter((file) => file.endsWith('.test.ts')).map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
    const unchecked = resources().map(({ Type }) => Type).filter((type) => !checked.has(type));

    expect(unchecked).toContain('AWS::EMRServerless::Application');
    expect(unchecked).toContain('AWS::Glue::DataQualityRuleset');
    expect([...new Set(unchecked)].filter((type) => !WIRING.includes(type) && !asserted.includes(`'${type}'`))).toEqual([]);
  });

  test('S2.21 nobody can log in to the Spark application, and every ruleset is of a table of the catalog', () => {
    const propertiesOf = (type: string) => resources().filter(({ Type }) => Type === type).map(({ Properties = {} }) => Properties);

    for (const { InteractiveConfiguration } of propertiesOf('AWS::EMRServerless::Application')) expect(InteractiveConfiguration).toBeUndefined();
    for (const { TargetTable } of propertiesOf('AWS::Glue::DataQualityRuleset')) expect(TargetTable).toMatchObject({ DatabaseName: expect.anything() as unknown, TableName: expect.anything() as unknown });
  });

  test('S4.22 a bucket that anybody can read would be found', () => {
    const broken = report.results.failed_checks.filter(({ file_path }) => basename(file_path) === BROKEN).map(({ check_id, resource }) => `${check_id} ${resource}`);

    expect(broken).toContain('CKV_AWS_20 AWS::S3::Bucket.Open');
    expect(broken).toContain('CKV_AWS_53 AWS::S3::Bucket.Open');
    expect(broken).toContain('CKV_AWS_27 AWS::SQS::Queue.Unsealed');
  });
});

function ours(checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ file_path }) => basename(file_path) !== BROKEN);
}
