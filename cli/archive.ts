import { S3Client } from '@aws-sdk/client-s3';
import { Command } from 'commander';
import { withTransportCheck } from '../edge/aws-endpoints';
import { HistoryArchive } from '../worker/history-archive';
import { loadStackEnvironment } from './environment';
import { createOutput, UsageError } from './output';
import { withTemporal } from './temporal-client';

export function archiveCommand(): Command {
  return new Command('archive')
    .description('archive now the history of every ended execution that the namespace still has; workers do so by themselves, once a minute')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nWorth a run where workers are stopped, or have MERIDIAN_ARCHIVE_SECONDS=0. Exit codes: 0 all is archived, 1 something could not be.')
    .action(async (options: { readonly json?: boolean }) => {
      await loadStackEnvironment();
      const bucket = process.env.MERIDIAN_ARTIFACTS_BUCKET;
      if (bucket === undefined) throw new UsageError('MERIDIAN_ARTIFACTS_BUCKET is not set: it names the bucket that holds the archive, the stack output MeridianArtifactsBucket');
      const s3 = withTransportCheck(new S3Client({}));
      const swept = await withTemporal((client) =>
        new HistoryArchive({ s3, client, bucket, taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian' }).sweep(),
      );
      const text = [
        ...swept.failed.map(({ workflowId, runId, message }) => `✘ ${workflowId}, run ${runId}: ${message}`),
        `${swept.archived} histories archived, ${swept.known} were already, ${swept.lost} are gone, ${swept.failed.length} could not be`,
      ];
      createOutput(options).result(swept, text.join('\n'));
      if (swept.failed.length > 0) process.exitCode = 1;
    });
}
