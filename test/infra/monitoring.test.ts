import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS, metricsOf } from '../../domain/metrics';
import { CycleOutcome, STAGES } from '../../domain/cycle';
import type { Template } from '../../infra/deploy/template';
import { MeridianStack } from '../../infra/aws/meridian-stack';
import { MonitoringStack } from '../../infra/aws/monitoring-stack';
import { withConditions } from '../../infra/local/template-conditions';
import { pipelines } from '../../pipelines';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { announcementOf, emptyReport } from '../../workflows/report-draft';
import { meridianTemplates } from '../checks/meridian-templates';
import { synthesised } from '../support/synthesised';

type Properties = Readonly<Record<string, unknown>>;
interface Widget {
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: { readonly title?: string; readonly markdown?: string; readonly alarms?: readonly string[]; readonly metrics?: readonly (readonly unknown[])[] };
}

const specs = [...pipelines, { ...mobileGeolocation, name: 'places', dataset: 'places' }];
let data: Template;
let monitoring: Template;

beforeAll(() => {
  data = synthesised((app) => new MeridianStack(app, 'Meridian', { pipelines: specs })).toJSON() as Template;
  monitoring = synthesised((app) => new MonitoringStack(app, 'MeridianMonitoring', { pipelines: specs })).toJSON() as Template;
});

const made = (parameters: Readonly<Record<string, string>> = {}) => withConditions(monitoring, parameters);
const propertiesOf = (type: string, of = made()): readonly Properties[] =>
  Object.values(of.Resources).flatMap(({ Type, Properties = {} }) => (Type === type ? [Properties] : []));
const topic = { 'Fn::ImportValue': { 'Fn::Sub': '${DataStack}-MeridianOutcomeTopicArn' } };

/** The dashboard's body with `<name>` in the place of what another stack gives. */
function board(): readonly Widget[] {
  const [{ DashboardBody: body } = { DashboardBody: undefined }] = propertiesOf('AWS::CloudWatch::Dashboard');
  const text = (value: unknown): string => {
    if (typeof value === 'string') return value;
    const [, parts] = (value as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join'] ?? [];
    return parts === undefined ? `<${(JSON.stringify(value).match(/-?(\w+)"[\]}]+$/) ?? [])[1]}>` : parts.map(text).join('');
  };
  return (JSON.parse(text(body)) as { widgets: Widget[] }).widgets;
}

/** Namespace, name and dimensions of everything that the dashboard and the alarms of both stacks look at. */
function watched(): readonly string[] {
  const ofWidgets = board().flatMap(({ properties }) => properties.metrics ?? []).filter(([first]) => typeof first === 'string');
  const ofAlarms = [data, made({ FreshnessHours: '26' })].flatMap((of) => propertiesOf('AWS::CloudWatch::Alarm', of));
  return [
    ...ofWidgets.map((series) => series.filter((each) => typeof each === 'string')).map(([namespace, name, ...pairs]) => `${namespace} ${name} ${pairs.filter((_, index) => index % 2 === 0).join(',')}`),
    ...ofAlarms.map(({ Namespace, MetricName, Dimensions }) => `${String(Namespace)} ${String(MetricName)} ${(Dimensions as { Name: string }[]).map(({ Name }) => Name).join(',')}`),
  ];
}

describe('What the dashboard and the alarms look at', () => {
  /** All that a worker sends, by the code that sends it. */
  function published(): ReadonlySet<string> {
    const cycle = { pipeline: 'p', dataset: 'd', intervalStart: '', intervalEnd: '2018-08-02T00:00:00Z', generation: 1 };
    const report = { ...emptyReport(cycle, 'w'), spark: { vCpuHours: 1, memoryGbHours: 1, storageGbHours: 1 } };
    const ended = announcementOf(report, STAGES.map((stage) => ({ stage, state: 'done', startedAtMs: 0, finishedAtMs: 1 })));
    const outcomes = [...Object.values(CycleOutcome), 'held', 'reminder'] as const;
    return new Set(
      outcomes.flatMap((outcome) => metricsOf({ ...ended, outcome })).map(({ name, dimensions }) => `Meridian ${name} ${Object.keys(dimensions).join(',')}`),
    );
  }

  test('S4.20 S2.18 is sent by the worker, with the same dimensions, or by AWS as its manuals say', () => {
    const known = new Set([
      ...published(),
      // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
      ...['ConsumedReadCapacityUnits', 'ConsumedWriteCapacityUnits', 'ReadThrottleEvents', 'WriteThrottleEvents'].map((name) => `AWS/DynamoDB ${name} TableName`),
      // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
      'AWS/SQS ApproximateNumberOfMessagesVisible QueueName',
    ]);

    expect(watched().length).toBeGreaterThan(40);
    expect([...new Set(watched())].filter((each) => !known.has(each))).toEqual([]);
  });

  test('S4.20 every metric of the worker’s that has a name here is on the dashboard', () => {
    const { recordsRead, ...shown } = METRICS;
    const names = new Set(watched().map((each) => each.split(' ')[1]));

    expect(Object.values(shown).filter((name) => !names.has(name))).toEqual([]);
    expect(names).not.toContain(recordsRead); // it is the sum of the three that are
  });

  test('S0.4 Spark’s capacity is searched for by the dimensions that EMR gives since release 7.10', () => {
    // https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/app-job-metrics.html
    const expressions = JSON.stringify(board().flatMap(({ properties }) => properties.metrics ?? []).filter(([first]) => typeof first === 'object'));

    expect(expressions).toContain("{AWS/EMRServerless,ApplicationId,ApplicationName,CapacityAllocationType,WorkerType} MetricName=\\\"CPUAllocated\\\" ApplicationId=\\\"<MeridianEmrApplicationId>\\\"");
  });

  test('every alarm that it shows is made, and every alarm that is always made is shown', () => {
    const shown = board().flatMap(({ properties }) => properties.alarms ?? []).map((arn) => arn.split(':').at(-1));
    const names = propertiesOf('AWS::CloudWatch::Alarm', withConditions(data)).map(({ AlarmName }) => AlarmName);

    expect(shown.sort()).toEqual([...names].sort());
    expect(names).toHaveLength(2 * specs.length + 1);
  });

  test('X15 each pipeline has a row, and no widget lies on another', () => {
    const widgets = board();

    expect(widgets.flatMap(({ properties }) => properties.markdown ?? [])).toEqual(['## All pipelines', ...specs.map(({ name }) => `## ${name}`)]);
    for (const [index, one] of widgets.entries()) {
      expect(one.x + one.width).toBeLessThanOrEqual(24);
      const above = widgets.slice(0, index).filter((other) => other.y < one.y + one.height && one.y < other.y + other.height && other.x < one.x + one.width && one.x < other.x + other.width);
      expect(above).toEqual([]);
    }
  });
});

describe('Who is told', () => {
  test('S2.27 nobody, no budget and no alarm of old data until a parameter says so', () => {
    expect(Object.values(made().Resources).map(({ Type }) => Type)).toEqual(['AWS::CloudWatch::Dashboard']);
  });

  test('S2.18 S4.19 an e-mail address, a phone and a webhook subscribe by a parameter each', () => {
    const told = propertiesOf('AWS::SNS::Subscription', made({ AlarmEmail: 'a@example.org', AlarmSms: '+491701234567', AlarmWebhook: 'https://example.org/hook' }));

    expect(told).toEqual([
      { Protocol: 'email', Endpoint: { Ref: 'AlarmEmail' }, TopicArn: topic },
      { Protocol: 'sms', Endpoint: { Ref: 'AlarmSms' }, TopicArn: topic },
      { Protocol: 'https', Endpoint: { Ref: 'AlarmWebhook' }, TopicArn: topic },
    ]);
  });

  test.each([
    ['AlarmEmail', ['ops@example.org'], ['ops', 'a b@example.org']],
    ['AlarmSms', ['+491701234567'], ['01701234567', '+49 170 1234567']],
    ['AlarmWebhook', ['https://example.org/hook?x=1'], ['http://example.org', 'https://']],
    ['FreshnessHours', ['1', '26', '168'], ['0', '169', '1.5', '-1']],
    ['MonthlyBudgetUsd', ['50'], ['0', '50.5', '-1', 'fifty']],
    ['BudgetTag', ['project$meridian'], ['project', '$meridian']],
  ])('a value of %s that could not work is refused before anything is made', (name, good, bad) => {
    const { AllowedPattern = '', Default } = monitoring.Parameters?.[name] ?? {};
    // CloudFormation holds the whole value against it.
    const allowed = new RegExp(`^(?:${AllowedPattern})$`);

    expect(Default).toBe('');
    expect(['', ...good].filter((value) => !allowed.test(value))).toEqual([]);
    expect(bad.filter((value) => allowed.test(value))).toEqual([]);
  });

  test('X11 the topic hears of spending at 80 and 100 percent of the budget, and when the forecast passes it', () => {
    const [budget] = propertiesOf('AWS::Budgets::Budget', made({ MonthlyBudgetUsd: '50' }));
    const { NotificationsWithSubscribers: told } = budget as { NotificationsWithSubscribers: readonly { Notification: Properties; Subscribers: unknown }[] };

    expect(budget?.['Budget']).toEqual({ BudgetType: 'COST', TimeUnit: 'MONTHLY', BudgetLimit: { Amount: { Ref: 'MonthlyBudgetUsd' }, Unit: 'USD' } });
    expect(told.map(({ Notification }) => `${String(Notification['NotificationType'])} ${String(Notification['Threshold'])}`)).toEqual(['ACTUAL 80', 'ACTUAL 100', 'FORECASTED 100']);
    expect(told.map(({ Subscribers }) => Subscribers)).toEqual(Array(3).fill([{ SubscriptionType: 'SNS', Address: topic }]));
    const [tagged] = propertiesOf('AWS::Budgets::Budget', made({ MonthlyBudgetUsd: '50', BudgetTag: 'project$meridian' }));
    expect(tagged?.['Budget']).toMatchObject({ CostFilters: { TagKeyValue: [{ 'Fn::Join': ['', ['user:', { Ref: 'BudgetTag' }]] }] } });
  });

  test('X11 S2.21 the topic takes messages of this account’s budgets and alarms, and of nobody else', () => {
    const [policy] = propertiesOf('AWS::SNS::TopicPolicy', withConditions(data)).filter((each) => JSON.stringify(each).includes('budgets'));
    const { Statement: statements } = policy?.['PolicyDocument'] as { Statement: readonly { Effect: string; Principal: { Service?: string }; Condition: unknown }[] };

    expect(statements.filter(({ Effect }) => Effect === 'Allow').map(({ Principal, Condition }) => [Principal.Service, Condition])).toEqual([
      ['cloudwatch.amazonaws.com', { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }],
      [
        'budgets.amazonaws.com',
        {
          StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
          ArnLike: { 'aws:SourceArn': { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':budgets::', { Ref: 'AWS::AccountId' }, ':*']] } },
        },
      ],
    ]);
  });

  test('S4.19 data that grows old alarms whatever the cause: silence counts as no cycle with a good end', () => {
    const alarms = propertiesOf('AWS::CloudWatch::Alarm', made({ FreshnessHours: '26' }));

    expect(alarms.map(({ AlarmName }) => AlarmName)).toEqual(specs.map(({ name }) => `meridian-old-data-${name}`));
    for (const alarm of alarms) {
      expect(alarm).toMatchObject({
        MetricName: 'DataUpToDate',
        ComparisonOperator: 'LessThanThreshold',
        Threshold: 1,
        EvaluationPeriods: { Ref: 'FreshnessHours' },
        TreatMissingData: 'breaching',
        AlarmActions: [topic],
        OKActions: [topic],
      });
    }
  });
});

test('the page on monitoring names every alarm, parameter and metric', () => {
  const page = readFileSync(join(__dirname, '../../docs/monitoring.md'), 'utf8');
  const alarms = [data, made({ FreshnessHours: '26' })].flatMap((of) => propertiesOf('AWS::CloudWatch::Alarm', of)).map(({ AlarmName }) => String(AlarmName).replace(/(mobile-geolocation|places)$/, '<pipeline>'));
  const metrics = Object.values(METRICS).map((name) => (name.startsWith('Cycle') ? 'Cycle<Outcome>' : name));

  for (const name of [...alarms, ...Object.keys(monitoring.Parameters ?? {}), ...metrics]) expect(page).toContain(`\`${name}\``);
});

test('every value that a stack imports is exported by the data stack', () => {
  const { files, remove } = meridianTemplates();
  const templates = [...files.values()].map((file) => readFileSync(file, 'utf8'));
  remove();

  const imports = templates.flatMap((text) => [...text.replace(/\s+/g, '').matchAll(/"Fn::ImportValue":\{"Fn::Sub":"\$\{DataStack\}-(\w+)"/g)].map(([, name]) => name));
  const exports = Object.entries(data.Outputs ?? {}).filter(([, output]) => 'Export' in output).map(([name]) => name);

  expect(imports).toContain('MeridianOutcomeTopicArn');
  expect([...new Set(imports)].filter((name) => !exports.includes(name ?? ''))).toEqual([]);
});
