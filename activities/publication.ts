import { type CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { GlueClient } from '@aws-sdk/client-glue';
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { log } from '@temporalio/activity';
import { type AnnounceOutcomeInput, outcomeIdOf } from '../domain/announcement';
import { outcomeMessage } from '../domain/announcement-bodies';
import { type CycleRef, cycleId } from '../domain/cycle';
import { METRIC_NAMESPACE, metricsOf } from '../domain/metrics';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { createCatalogPartitions } from './catalog-partitions';
import { deleteGatePartitions } from './gate-partitions';
import type { TransformDocumentDependencies } from './transform-documents';

export interface PublicationDependencies {
  readonly glue: GlueClient;
  readonly sns: SNSClient;
  readonly cloudwatch: CloudWatchClient;
  readonly glueDatabase: string;
  readonly topicArn: string;
  readonly storageBucket: string;
  readonly liveStorageFiles: TransformDocumentDependencies['liveStorageFiles'];
  /** True exactly once for an outcome: the durable claim to notify. */
  readonly claimNotification: (outcomeId: string) => Promise<boolean>;
  readonly confirmNotification: (outcomeId: string) => Promise<void>;
}

/** Activities that tell the world of a cycle: catalog partitions, metrics, one notification. */
export function createPublicationActivities(deps: PublicationDependencies) {
  return {
    /** Adds the event dates that the cycle stored as partitions of the dataset's table (S2.19). Idempotent by partition. */
    async publishPartitions({ cycle, spec }: { readonly cycle: CycleRef; readonly spec: PipelineSpec }): Promise<{ dates: number }> {
      const mine = (await deps.liveStorageFiles(spec)).filter((file) => cycleId(file.cycle) === cycleId(cycle));
      const dates = [...new Set(mine.map((file) => file.eventDate))].sort();
      const partitions = dates.map((date) => ({ values: [date], location: `s3://${deps.storageBucket}/${spec.dataset}/event_date=${date}/` }));
      await createCatalogPartitions(deps.glue, deps.glueDatabase, spec.dataset, partitions);
      return { dates: dates.length };
    },

    /** Takes the gate's partitions out of the catalog; the files age out by the bucket's lifecycle. Idempotent by partition. */
    async removeGatePartitions({ cycle, spec }: { readonly cycle: CycleRef; readonly spec: PipelineSpec }): Promise<void> {
      await deleteGatePartitions(deps.glue, deps.glueDatabase, spec, cycle);
    },

    /**
     * One metric set and one notification for an outcome (I9). Idempotent by (cycle, generation, outcome): the claim is made
     * durable before the call, so at most an unconfirmed one is sent again, under the same `outcomeId` attribute.
     */
    async announceOutcome(input: AnnounceOutcomeInput): Promise<{ announced: boolean }> {
      const outcomeId = outcomeIdOf(input);
      if (!(await deps.claimNotification(outcomeId))) return { announced: false };
      await deps.cloudwatch.send(
        new PutMetricDataCommand({
          Namespace: METRIC_NAMESPACE,
          MetricData: metricsOf(input).map(({ name, value, unit, dimensions }) => ({
            MetricName: name,
            Value: value,
            Unit: unit,
            Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
          })),
        }),
      );
      const { subject, message } = outcomeMessage(input);
      await deps.sns.send(
        new PublishCommand({
          TopicArn: deps.topicArn,
          Subject: subject,
          Message: message,
          MessageStructure: 'json',
          MessageAttributes: {
            outcomeId: { DataType: 'String', StringValue: outcomeId },
            outcome: { DataType: 'String', StringValue: input.outcome },
            pipeline: { DataType: 'String', StringValue: input.cycle.pipeline },
          },
        }),
      );
      await deps.confirmNotification(outcomeId);
      log.info('Outcome announced', { outcomeId });
      return { announced: true };
    },
  };
}
export type PublicationActivities = ReturnType<typeof createPublicationActivities>;
