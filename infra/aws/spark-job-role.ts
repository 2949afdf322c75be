import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { grantCommitting, grantListing, grantReading, grantReadingVersions, grantWriting } from './bucket-grants';
import type { SparkJobRoleProps } from './spark-job-role-props';

/**
 * What jobs run as: a transform reads storage and its inputs and writes refined rows, quarantine and logs; a dedup reads raw objects and
 * storage, and writes storage. Which of it one run may do says its own execution policy (S2.21; activities/execution-policy.ts).
 */
export class SparkJobRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { buckets, spark }: SparkJobRoleProps) {
    super(scope, id);
    this.role = new Role(this, 'Role', {
      description: 'Meridian: jobs on EMR Serverless',
      assumedBy: new ServicePrincipal('emr-serverless.amazonaws.com', {
        conditions: { ArnLike: { 'aws:SourceArn': spark.application.attrArn } },
      }),
    });
    // File systems of Hadoop look at a path by listing it.
    grantListing(this.role, buckets.raw, buckets.storage, buckets.refined, buckets.quarantine, buckets.artifacts);
    grantCommitting(this.role, buckets.storage, buckets.refined, buckets.quarantine);
    grantReadingVersions(this.role, buckets.raw.arnForObjects('*'));
    grantReading(
      this.role,
      ...['cycles/*', 'dry-runs/*', 'jobs/*', 'reference/*'].map((keys) => buckets.artifacts.arnForObjects(keys)),
    );
    grantWriting(
      this.role,
      buckets.storage.arnForObjects('*'),
      buckets.refined.arnForObjects('*'),
      buckets.quarantine.arnForObjects('*'),
      buckets.artifacts.arnForObjects('logs/*'),
    );
  }
}
