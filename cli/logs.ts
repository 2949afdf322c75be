import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, NoSuchKey, S3Client } from '@aws-sdk/client-s3';
import { Command } from 'commander';
import { withTransportCheck } from '../edge/aws-endpoints';
import { openDatabase } from '../sql/database';
import { listCycles } from '../sql/queries/cycles';
import { listJobs } from '../sql/queries/jobs';
import { loadStackEnvironment } from './environment';
import { createOutput } from './output';
import { CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP, namedCycle } from './cycle-argument';

interface LogsOptions {
  readonly generation?: string;
  readonly lines: string;
  readonly json?: boolean;
}

interface JobLog {
  readonly uri: string;
  /** Absent while the service has not delivered it. */
  readonly text?: string;
}

export function logsCommand(): Command {
  return new Command('logs')
    .description("the Spark driver's log of a cycle's transform, as EMR Serverless delivered it to S3")
    .argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP)
    .option('--generation <n>', 'of an older generation (default: the latest that submitted a job)')
    .option('--lines <n>', 'last lines of each stream', '40')
    .option('--json', 'one JSON document on stdout')
    .action(async (words: readonly string[], options: LogsOptions) => {
      await loadStackEnvironment();
      const { pipeline, workflowId, intervalEnd } = namedCycle(words);
      const jobRunId = await jobRunOf(pipeline, intervalEnd, options.generation);
      if (jobRunId === undefined) throw new Error(`The cycle ${workflowId} has submitted no Spark job: \`meridian cycles show ${pipeline} ${intervalEnd}\` says how far it came`);
      const s3 = withTransportCheck(new S3Client({}));
      const [stdout, stderr] = [await readLog(s3, jobRunId, 'stdout'), await readLog(s3, jobRunId, 'stderr')];
      const tail = ({ uri, text }: JobLog) =>
        `== ${uri}\n${text === undefined ? '(not delivered yet: EMR writes it while the job runs and when it ends)' : text.split('\n').slice(-Number(options.lines)).join('\n')}`;
      createOutput(options).result({ workflowId, jobRunId, stdout, stderr }, [tail(stdout), tail(stderr)].join('\n'));
    });
}

async function jobRunOf(pipeline: string, intervalEnd: string, generation: string | undefined): Promise<string | undefined> {
  const database = openDatabase();
  try {
    for (const { cycle } of await listCycles(database.db, { pipeline, intervalEnd })) {
      if (generation !== undefined && String(cycle.generation) !== generation) continue;
      const job = (await listJobs(database.db, cycle)).find((each) => each.kind === 'emr' && each.externalId !== undefined);
      if (job?.externalId !== undefined) return job.externalId;
    }
    return undefined;
  } finally {
    await database.close();
  }
}

async function readLog(s3: S3Client, jobRunId: string, stream: 'stdout' | 'stderr'): Promise<JobLog> {
  const bucket = process.env.MERIDIAN_ARTIFACTS_BUCKET ?? '';
  const key = `logs/applications/${process.env.MERIDIAN_EMR_APPLICATION_ID ?? ''}/jobs/${jobRunId}/SPARK_DRIVER/${stream}.gz`;
  const uri = `s3://${bucket}/${key}`;
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return { uri, text: gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array()).toString('utf8').trimEnd() };
  } catch (error) {
    if (error instanceof NoSuchKey) return { uri };
    throw error;
  }
}
