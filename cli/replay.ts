import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { Command } from 'commander';
import { withTransportCheck } from '../edge/aws-endpoints';
import { readTemporalSettings } from '../edge/temporal-settings';
import { SCHEDULED_INPUTS_MODULE, workflowBundle } from '../worker/bundle';
import { workDirOf } from '../worker/config';
import { type FoundHistory, replayHistories, type ReplayVerdict } from '../worker/replay-histories';
import { loadStackEnvironment } from './environment';
import { historiesOfArchive, historiesOfFolder, historiesOfNamespace } from './history-sources';
import { createOutput, type Output, UsageError } from './output';
import { replayText, summaryOf } from './replay-text';
import { withTemporal } from './temporal-client';

interface ReplayOptions {
  readonly histories?: string;
  readonly archive?: boolean;
  readonly since?: string;
  readonly pipeline?: string;
  readonly namespace?: boolean;
  readonly query?: string;
  readonly limit: string;
  readonly strictInputs?: boolean;
  readonly allowEmpty?: boolean;
  readonly json?: boolean;
}

export function replayCommand(): Command {
  return new Command('replay')
    .description("replay histories against today's workflow code: would it decide again what was decided? The gate before a deployment")
    .option('--histories <folder>', 'of *.json and *.json.gz files, as `temporal workflow show --output json` writes them')
    .option('--archive', 'of ended executions, as the workers keep them in the artifacts bucket (MERIDIAN_ARTIFACTS_BUCKET)')
    .option('--since <day>', 'with --archive: of executions that closed on that day (UTC) or later, such as 2026-11-01')
    .option('--pipeline <name>', 'with --archive: of one pipeline, or of a workflow type that belongs to none')
    .option('--namespace', 'of the executions that the namespace has, running ones as far as they have come')
    .option('--query <filter>', "with --namespace: a filter as for `temporal workflow list --query` (default: Meridian's task queue)")
    .option('--limit <n>', 'with --namespace: at most so many, the newest first', '200')
    .option('--strict-inputs', 'fail too when an activity would be given other keys than were recorded; a replay alone compares types only')
    .option('--allow-empty', 'exit 0 when no history was found')
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      '\nExit codes: 0 every history replayed, 1 any did not or none was found, 2 wrong usage. Encrypted payloads are read by MERIDIAN_PAYLOAD_KEYS\n' +
        'and TEMPORAL_NAMESPACE, as a worker does.\n\n' +
        'A history by plain Temporal, for --histories:\n' +
        '  temporal workflow show --workflow-id etl/mobile-geolocation-2018-08-02T00:00:00Z --output json > histories/that-night.json',
    )
    .action(async (options: ReplayOptions) => {
      checkUsage(options);
      await loadStackEnvironment();
      // What a divergence comes to stands in the verdict; the core's own warnings of it would be said twice.
      Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), telemetryOptions: { logging: { filter: 'OFF' } } });
      const output = createOutput(options);
      const verdicts = await withHistories(options, (found) => replayAll(found, options, output));
      const summary = summaryOf(verdicts);
      output.result({ summary, histories: verdicts }, replayText(verdicts, options.strictInputs === true));
      if (verdicts.length === 0 && options.allowEmpty !== true) throw new Error(`No history was found ${whereOf(options)}: nothing is proven. --allow-empty accepts that`);
      if (summary.diverged + summary.broken + (options.strictInputs === true ? summary.otherInputs : 0) > 0) process.exitCode = 1;
    });
}

async function replayAll(found: AsyncIterable<FoundHistory>, options: ReplayOptions, output: Output): Promise<readonly ReplayVerdict[]> {
  const { dataConverter } = readTemporalSettings(process.env);
  const modules = options.strictInputs === true ? [SCHEDULED_INPUTS_MODULE] : [];
  const bundle = await workflowBundle(join(workDirOf(process.env), 'bundles'), dataConverter, modules);
  const verdicts: ReplayVerdict[] = [];
  const replay = replayHistories({ workflowBundle: bundle, dataConverter, interceptors: { workflowModules: modules } }, found, options.strictInputs === true);
  for await (const verdict of replay) {
    verdicts.push(verdict);
    if (process.stderr.isTTY) output.advance('replay', verdicts.length, undefined, 'histories');
  }
  return verdicts;
}

/** Of the one source that was asked for. */
async function withHistories<T>(options: ReplayOptions, use: (found: AsyncIterable<FoundHistory>) => Promise<T>): Promise<T> {
  if (options.histories !== undefined) return use(historiesOfFolder(options.histories));
  if (options.archive === true) {
    const bucket = process.env.MERIDIAN_ARTIFACTS_BUCKET;
    if (bucket === undefined) throw new UsageError('MERIDIAN_ARTIFACTS_BUCKET is not set: it names the bucket that holds the archive, the stack output MeridianArtifactsBucket');
    return use(historiesOfArchive(withTransportCheck(new S3Client({})), bucket, options));
  }
  const query = options.query ?? `TaskQueue = '${process.env.MERIDIAN_TASK_QUEUE ?? 'meridian'}'`;
  return withTemporal((client) => use(historiesOfNamespace(client, query, Number(options.limit))));
}

function checkUsage(options: ReplayOptions): void {
  const sources = [options.histories !== undefined, options.archive === true, options.namespace === true].filter(Boolean).length;
  if (sources !== 1) throw new UsageError('Say which histories: one of --histories <folder>, --archive and --namespace');
  if (options.archive !== true && (options.since ?? options.pipeline) !== undefined) throw new UsageError('--since and --pipeline go with --archive');
  if (options.namespace !== true && options.query !== undefined) throw new UsageError('--query goes with --namespace');
  if (!/^[1-9]\d*$/.test(options.limit)) throw new UsageError(`--limit: expected a whole number of at least 1, found "${options.limit}"`);
  if (options.since !== undefined && !isDay(options.since)) throw new UsageError(`--since: expected a day such as 2026-11-01, found "${options.since}"`);
}

function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`);
  // A 31st of June would become the 1st of July.
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

function whereOf({ histories, archive, since, pipeline }: ReplayOptions): string {
  if (histories !== undefined) return `in ${histories}`;
  if (archive !== true) return 'in the namespace by that query';
  return `in the archive${pipeline === undefined ? '' : ` of ${pipeline}`}${since === undefined ? '' : ` since ${since}`}`;
}
