import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { grantCommitting, grantListing, grantReading, grantWriting } from './bucket-grants';
import type { SparkApplication } from './spark-application';
import type { SparkJobRoleProps } from './spark-job-role-props';

/** Runs of this application alone. */
export function sparkJobTrust({ application }: SparkApplication): ServicePrincipal {
  return new ServicePrincipal('emr-serverless.amazonaws.com', { conditions: { ArnLike: { 'aws:SourceArn': application.attrArn } } });
}

/** What a transform job runs as: reads storage and its inputs, writes refined rows, quarantine and logs, and nothing else (S2.21). */
export class SparkJobRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { buckets, spark }: SparkJobRoleProps) {
    super(scope, id);
    this.role = new Role(this, 'Role', {
      description: 'Meridian: transform jobs on EMR Serverless',
      assumedBy: sparkJobTrust(spark),
    });
    // File systems of Hadoop look at a path by listing it.
    grantListing(this.role, buckets.storage, buckets.refined, buckets.quarantine, buckets.artifacts);
    grantCommitting(this.role, buckets.refined, buckets.quarantine);
    grantReading(this.role, buckets.storage.arnForObjects('*'));
    grantReading(
      this.role,
      ...['cycles/*', 'dry-runs/*', 'jobs/*', 'reference/*'].map((keys) => buckets.artifacts.arnForObjects(keys)),
    );
    grantWriting(
      this.role,
      buckets.refined.arnForObjects('*'),
      buckets.quarantine.arnForObjects('*'),
      buckets.artifacts.arnForObjects('logs/*'),
    );
  }
}
