import { SQSClient } from '@aws-sdk/client-sqs';
import { Client } from '@temporalio/client';
import { Runtime } from '@temporalio/worker';
import { inboxWorkflowId, runsOnObject } from '../../domain/ingest';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { withTransportCheck } from '../../edge/aws-endpoints';
import type { inbox } from '../../workflows';
import type { WorkerConfig } from '../config';
import type { TemporalAccess } from '../dependencies';
import { groupCredentials } from '../group-credentials';
import { EventConsumer, LONG_POLL_SECONDS } from './event-consumer';

/** Consumes the event queue beside a worker, if a pipeline runs on objects. @returns a function that stops it, and waits until it has stopped */
export function startConsumer(config: WorkerConfig, temporal: TemporalAccess, pipelines: readonly PipelineSpec[]): () => Promise<void> {
  if (!pipelines.some(runsOnObject)) return () => Promise.resolve();
  const { workflow } = new Client(temporal);
  const sqs = withTransportCheck(
    new SQSClient({
      region: config.region,
      credentials: groupCredentials(config, 'events'),
      useQueueUrlAsEndpoint: false, // an endpoint that the environment names is meant
      requestHandler: { connectionTimeout: 5_000, requestTimeout: (LONG_POLL_SECONDS + config.awsTimeoutSeconds) * 1_000, throwOnRequestTimeout: true },
    }),
  );
  const consumer = new EventConsumer({
    sqs,
    queueUrl: config.eventQueueUrl,
    rawBucket: config.buckets.raw,
    pipelines,
    deliver: (pipeline, objects) =>
      workflow.signalWithStart<typeof inbox, [typeof objects]>('inbox', {
        workflowId: inboxWorkflowId(pipeline),
        taskQueue: config.taskQueue,
        args: [{ pipeline }],
        signal: 'objectsArrived',
        signalArgs: [objects],
        staticSummary: `Arriving objects of ${pipeline}`,
      }),
    log: Runtime.instance().logger,
  });
  const stopping = new AbortController();
  const running = consumer.run(stopping.signal);
  return async () => {
    stopping.abort();
    await running;
    sqs.destroy();
  };
}
