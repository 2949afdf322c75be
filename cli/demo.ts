import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { Command } from 'commander';
import { stackHome } from '../infra/local/stack-env';
import { taskEnvironment } from '../infra/local/task-environment';
import { cacheFolder } from '../infra/local/toolchain/cache';
import { mobileGeolocation } from '../pipelines/mobile-geolocation';
import { openDatabase } from '../sql/database';
import { enterLocalEnvironment, localEnvironment, settingOf } from './demo/demo-environment';
import { putObjects } from './demo/demo-s3';
import { startWorker, stopWorker, watchWorker } from './demo/demo-worker';
import { demoNights, type DemoNight } from './demo/nights';
import { RAW_PREFIX } from './demo/raw-object';
import { airspacesOf, countryAreas, referenceParquet } from './demo/reference-data';
import { resetDemo } from './demo/reset';
import { runNight } from './demo/run-night';
import { type DemoSummary, type NightSummary, summaryText } from './demo/summary';
import { type TrafficSamples, trafficSamples } from './demo/traffic-wheel';
import { createOutput, type Output } from './output';
import { withTemporal } from './temporal-client';
import { bringUp } from './up';
import { wholeNumberTo } from './whole-number';

/** Where the pipeline's declaration looks for its reference data. */
const REFERENCES = mobileGeolocation.transform.references;

const NIGHTS = 3;

export function demoCommand(): Command {
  return new Command('demo')
    .description('three nights of real positions through the pipeline mobile-geolocation, on the local stack')
    .option('--auth', "the local AWS holds every call against its caller's IAM policies, see `meridian up --help`")
    .option('--nights <count>', 'only the first ones', wholeNumberTo(NIGHTS))
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      '\nInstalls and starts what is missing, takes away what an earlier demo left (nothing else), and leaves the stack and a worker running.\n' +
        'Exit codes: 0 the nights came out as they must (promoted, promoted, rejected), 1 otherwise.',
    )
    .action(async (options: DemoOptions) => {
      const output = createOutput(options);
      const { summary, expected } = await demo(stackHome(), output, options);
      output.result(summary, summaryText(summary));
      const surprises = summary.nights.filter((night, index) => night.outcome !== expected[index]?.expectedOutcome);
      for (const night of surprises) {
        output.note(`The night until ${night.intervalEnd} ended ${night.outcome}, which it must not: ${night.reason ?? 'no reason given'}`);
      }
      if (surprises.length > 0) process.exitCode = 1;
    });
}

interface DemoOptions {
  readonly json?: boolean;
  readonly auth?: boolean;
  readonly nights?: number;
}

async function demo(home: string, output: Output, { auth = false, nights: count }: DemoOptions): Promise<{ readonly summary: DemoSummary; readonly expected: readonly DemoNight[] }> {
  const startedAt = performance.now();
  const stack = await bringUp(home, output, { auth });
  enterLocalEnvironment(stack.env);
  const samples = await trafficSamples({ cache: cacheFolder(), python: settingOf(stack.env, 'MERIDIAN_PYTHON'), note: (message) => output.note(message) });
  const allNights = demoNights(samples);
  const nights = allNights.slice(0, count);
  const connection = {
    endpoint: stack.awsEndpoint,
    region: settingOf(stack.env, 'AWS_REGION'),
    credentials: { accessKeyId: settingOf(stack.env, 'AWS_ACCESS_KEY_ID'), secretAccessKey: settingOf(stack.env, 'AWS_SECRET_ACCESS_KEY') },
  };
  const [s3, dynamodb, database] = [new S3Client(connection), new DynamoDBClient(connection), openDatabase()];
  const watch = new AbortController();
  try {
    await stopWorker(home);
    return await withTemporal(async (temporal) => {
      const { pool } = database;
      const removed = await resetDemo({ spec: mobileGeolocation, env: stack.env, rawPrefixes: rawPrefixesOf(allNights), s3, dynamodb, pool, temporal });
      output.note(`Took away ${removed}`);
      const env = localEnvironment(stack.env);
      await startWorker(home, taskEnvironment(env));
      const workerLost = watchWorker(home, watch.signal);
      workerLost.catch(() => undefined); // whoever races with it hears of it
      await putReferences(s3, settingOf(stack.env, 'MERIDIAN_ARTIFACTS_BUCKET'), samples);
      const summaries: NightSummary[] = [];
      for (const night of nights) {
        summaries.push(
          await runNight({
            night,
            spec: mobileGeolocation,
            rawBucket: settingOf(stack.env, 'MERIDIAN_RAW_BUCKET'),
            taskQueue: env['MERIDIAN_TASK_QUEUE'] ?? 'meridian',
            readerEnv: env,
            s3,
            pool,
            temporal,
            workerLost,
            output,
          }),
        );
      }
      const { temporalUi, postgresUrl, awsEndpoint } = stack;
      const totalMs = Math.round(performance.now() - startedAt);
      return { summary: { nights: summaries, temporalUi, postgresUrl, awsEndpoint, totalMs }, expected: nights };
    });
  } finally {
    watch.abort();
    s3.destroy();
    dynamodb.destroy();
    await database.close();
  }
}

/** `mobile-geolocation/2018/08/01/`: the days in which the demo's objects arrive. */
function rawPrefixesOf(nights: readonly DemoNight[]): readonly string[] {
  const dayLength = RAW_PREFIX.length + 'YYYY/MM/DD/'.length;
  return [...new Set(nights.flatMap((night) => night.objects.map(({ key }) => key.slice(0, dayLength))))];
}

async function putReferences(s3: S3Client, bucket: string, samples: TrafficSamples): Promise<void> {
  const objects = [
    { key: REFERENCES.airspaces, body: await referenceParquet(airspacesOf(samples.airspaces)) },
    { key: REFERENCES.countries, body: await referenceParquet(countryAreas()) },
  ];
  await putObjects(s3, bucket, objects, () => undefined);
}
