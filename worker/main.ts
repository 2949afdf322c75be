import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { readTemporalSettings } from '../edge/temporal-settings';
import { pipelines as declaredPipelines } from '../pipelines';
import { keepArchiving } from './archiver';
import { workflowBundle } from './bundle';
import type { WorkerConfig } from './config';
import { startConsumer } from './consumer/start-consumer';
import { createDependencies } from './dependencies';
import { keepReporting } from './queue-backlog';
import { requireSearchAttributes } from './search-attributes';
import { workerTuning } from './tuning';
import { keepYoungGenerationSmall } from './young-generation';

/**
 * Opted into by a build id: a cycle stays with the build that began it. Without one nothing changes.
 * @see Temporal, "Worker Versioning"
 */
export function versioningOf({ build }: Pick<WorkerConfig, 'build'>): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (build === undefined) return {};
  return { workerDeploymentOptions: { version: build, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' } };
}

/**
 * Runs a worker until SIGINT or SIGTERM. Temporal's address, namespace, TLS and key come from its environment configuration
 * (`TEMPORAL_ADDRESS`, `TEMPORAL_API_KEY`, `temporal.toml`), so Temporal Cloud needs no code; payload keys from `MERIDIAN_PAYLOAD_KEYS`.
 * @param onReady - called once the worker polls
 * @param pipelines - what it may run; those of `pipelines/` unless said
 */
export async function runWorker(
  config: WorkerConfig,
  onReady: (taskQueue: string) => void,
  pipelines: readonly PipelineSpec[] = declaredPipelines,
): Promise<void> {
  keepYoungGenerationSmall();
  if (config.metricsAddress !== undefined) {
    Runtime.install({ telemetryOptions: { metrics: { prometheus: { bindAddress: config.metricsAddress } } } });
  }
  await mkdir(config.workDir, { recursive: true });
  const { address, connectionOptions, namespace, dataConverter } = readTemporalSettings(process.env);
  const connection = await NativeConnection.connect(connectionOptions).catch((error: unknown) => {
    throw new Error(
      `No Temporal server answers at ${address}: start the local stack (\`npx meridian up\`), or ` +
        `set TEMPORAL_ADDRESS (${error instanceof Error ? error.message : String(error)})`,
    );
  });
  await requireSearchAttributes(connection.operatorService, namespace);
  const stopped = new AbortController();
  const stale = new AbortController();
  const dependencies = createDependencies(config, { connection, namespace, dataConverter }, pipelines);
  try {
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue: config.taskQueue,
      workflowBundle: await workflowBundle(join(config.workDir, 'bundles'), dataConverter),
      dataConverter,
      ...versioningOf(config),
      activities: dependencies.activities,
      ...workerTuning(config.supervised ? () => stale.abort() : undefined),
    });
    const running = worker.run();
    stale.signal.addEventListener('abort', () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    });
    const stopConsumer = startConsumer(config, { connection, namespace, dataConverter }, pipelines);
    onReady(config.taskQueue);
    const archiving = config.archiveSeconds === 0 ? undefined : keepArchiving(dependencies.archive, config.archiveSeconds * 1_000, Runtime.instance().logger, stopped.signal);
    const reporting = config.backlogSeconds === 0 ? undefined : keepReporting(dependencies.backlog, config.backlogSeconds * 1_000, Runtime.instance().logger, stopped.signal);
    await running.finally(() => {
      stopped.abort();
      return stopConsumer();
    });
    await Promise.all([archiving, reporting]);
    if (stale.signal.aborted) throw new Error('PostgreSQL refused the password that this worker was started with: expected a supervisor that starts another one with the present password');
  } finally {
    await dependencies.close();
    await connection.close();
  }
}
