import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { createDedupJobActivities, type PreparedDedupJob } from '../../../activities/dedup-job';
import type { CycleRef } from '../../../domain/cycle';
import type { RecordCounts } from '../../../domain/documents';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { jars } from '../../../infra/local/toolchain/jars';
import type { Deps, LedgerStack } from './ledger-stack';
import { run } from './nights';
import { jobsPython } from './python-lines';

const JOBS = resolve(__dirname, '..', '..', '..', 'jobs');
/** One session for many runs of the script as it stands; a cold one takes ten seconds. */
const DRIVER = `
import json, os, runpy, sys, traceback
from pathlib import Path
from pyspark.sql import SparkSession

jobs, folder, java_options = sys.argv[1:]
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
jars = ",".join(str(path) for path in sorted(Path(os.environ["MERIDIAN_SPARK_JARS"]).glob("*.jar")))
s3a = "spark.hadoop.fs.s3a"
settings = {
    "spark.jars": jars, "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    f"{s3a}.endpoint": os.environ["AWS_ENDPOINT_URL"], f"{s3a}.endpoint.region": os.environ["AWS_REGION"], f"{s3a}.path.style.access": "true",
    f"{s3a}.access.key": os.environ["AWS_ACCESS_KEY_ID"], f"{s3a}.secret.key": os.environ["AWS_SECRET_ACCESS_KEY"],
    "spark.driver.memory": "1g", "spark.driver.extraJavaOptions": java_options,
    "spark.ui.enabled": "false", "spark.local.dir": folder, "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
    "spark.sql.warehouse.dir": folder, "spark.sql.shuffle.partitions": "4",
}
builder = SparkSession.builder.master("local[2]").appName("dedup")
for key, value in settings.items():
    builder = builder.config(key, value)
builder.getOrCreate().sparkContext.setLogLevel("ERROR")
print("ready", file=answers, flush=True)
for line in sys.stdin:
    sys.argv = ["dedup.py", line.strip()]
    try:
        runpy.run_path(f"{jobs}/dedup.py", run_name="__main__")
        print(json.dumps({}), file=answers, flush=True)
    except BaseException:
        print(json.dumps({"error": traceback.format_exc()}), file=answers, flush=True)
`;

/** The real job on a real Spark. */
export interface SparkDedup {
  readonly pid: number;
  /** Runs the job over an input document. Rejects with its traceback. */
  runJob(uri: string): Promise<void>;
  stop(): Promise<void>;
}

/** @param javaOptions - default: for runs so short that compiling well would cost more than it saves */
export async function startSparkDedup(stack: LedgerStack, javaOptions = '-XX:TieredStopAtLevel=1 -XX:+UseParallelGC'): Promise<SparkDedup> {
  const folder = await mkdtemp(join(tmpdir(), 'meridian-spark-dedup-'));
  const { endpoint, region, credentials } = stack.clientConfig;
  const python = await jobsPython();
  const child: ChildProcess = spawn(python, ['-c', DRIVER, JOBS, folder, javaOptions], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      MERIDIAN_SPARK_JARS: process.env['MERIDIAN_SPARK_JARS'] ?? (await jars.locate())?.path,
      PYTHONPATH: JOBS,
      PYSPARK_PYTHON: python,
      SPARK_LOCAL_IP: '127.0.0.1',
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('The Spark process has no pipes');
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const next = await answers.next();
    if (next.done === true) throw new Error(`The Spark process ended, exit code ${child.exitCode}`);
    return next.value;
  };
  await answer();
  return {
    pid: child.pid ?? 0,
    async runJob(uri) {
      stdin.write(`${uri}\n`);
      const { error } = JSON.parse(await answer()) as { readonly error?: string };
      if (error !== undefined) throw new Error(error);
    },
    async stop() {
      stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface SparkChunk {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly epoch: number;
  readonly chunk: number;
}

/** One round: what the worker prepares, the run, and its commit; undefined when another round is due. */
export async function sparkRound(spark: SparkDedup, deps: Deps, { epoch, ...chunk }: SparkChunk, round = 1): Promise<RecordCounts | undefined> {
  const activities = createDedupJobActivities(deps);
  const { input, committed }: PreparedDedupJob = await run(activities.prepareDedupJob, { ...chunk, round });
  if (committed !== undefined) return committed;
  await spark.runJob(`s3://${input.bucket}/${input.key}`);
  return (await run(activities.commitDedupJob, { spec: chunk.spec, epoch, input })).committed;
}
