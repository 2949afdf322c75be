import type { PipelineSpec } from '../../domain/pipeline-spec';

/** What the dashboard shows. */
export interface CycleDashboardProps {
  readonly pipelines: readonly PipelineSpec[];
  readonly applicationId: string;
  /** Names by what they hold. */
  readonly tables: Readonly<Record<'ledger' | 'objects', string>>;
  readonly queueUrl: string;
  readonly deadLetterQueueName: string;
}
