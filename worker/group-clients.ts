import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EMRServerlessClient } from '@aws-sdk/client-emr-serverless';
import { GlueClient } from '@aws-sdk/client-glue';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import type { ActivityGroup } from '../domain/activity-groups';
import { withTransportCheck } from '../edge/aws-endpoints';
import type { WorkerConfig } from './config';
import { clientLimits, groupCredentials } from './group-credentials';

/** What reads or writes the ledger. */
export interface LedgerClients {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
}

/** The clients of each group of activities, in the role of the group. The consumer of events has its own. */
export interface GroupClients {
  readonly ingest: LedgerClients;
  readonly dryRun: LedgerClients;
  readonly transform: LedgerClients & { readonly emr: EMRServerlessClient };
  readonly gate: { readonly s3: S3Client; readonly glue: GlueClient };
  readonly load: { readonly s3: S3Client };
  readonly publish: LedgerClients & { readonly glue: GlueClient; readonly sns: SNSClient; readonly cloudwatch: CloudWatchClient };
  readonly backlog: { readonly cloudwatch: CloudWatchClient };
  readonly archive: { readonly s3: S3Client };
}

/** Makes them; nothing is sent before an activity sends something. */
export function openGroupClients(config: WorkerConfig): { readonly clients: GroupClients; readonly close: () => void } {
  const opened: { destroy(): void }[] = [];
  const open = <T extends Parameters<typeof withTransportCheck>[0] & { destroy(): void }>(client: T): T => {
    opened.push(client);
    return withTransportCheck(client);
  };
  const limits = clientLimits(config);
  const s3Of = (group: ActivityGroup) => open(new S3Client({ ...limits, credentials: groupCredentials(config, group) }));
  // The others of a group take its first one's credentials, which that one keeps and renews: one session a group.
  const ledgerClients = (group: ActivityGroup) => {
    const s3 = s3Of(group);
    return { s3, dynamodb: open(new DynamoDBClient({ ...limits, credentials: s3.config.credentials })) };
  };
  const transform = ledgerClients('transform');
  const publish = ledgerClients('publish');
  const gate = s3Of('gate');
  const ofPublish = { ...limits, credentials: publish.s3.config.credentials };
  const clients = {
    ingest: ledgerClients('ingest'),
    dryRun: ledgerClients('dryRun'),
    transform: { ...transform, emr: open(new EMRServerlessClient({ ...limits, credentials: transform.s3.config.credentials })) },
    gate: { s3: gate, glue: open(new GlueClient({ ...limits, credentials: gate.config.credentials })) },
    load: { s3: s3Of('load') },
    publish: {
      ...publish,
      glue: open(new GlueClient(ofPublish)),
      // Told again only by a new attempt, which asks first whether the outcome was told: the SDK's own retries would not (I9).
      sns: open(new SNSClient({ ...ofPublish, maxAttempts: 1 })),
      cloudwatch: open(new CloudWatchClient(ofPublish)),
    },
    backlog: { cloudwatch: open(new CloudWatchClient({ ...limits, credentials: groupCredentials(config, 'backlog') })) },
    archive: { s3: s3Of('archive') },
  };
  return { clients, close: () => opened.forEach((client) => client.destroy()) };
}
