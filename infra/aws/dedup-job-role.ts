import { Role } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { grantCommitting, grantListing, grantReading, grantReadingVersions, grantWriting } from './bucket-grants';
import { sparkJobTrust } from './spark-job-role';
import type { SparkJobRoleProps } from './spark-job-role-props';

/**
 * What a dedup job runs as: reads raw objects, by version, and storage; writes storage, quarantine, scratch and logs, and nothing else
 * (S2.21). Which objects one run may touch says its own execution policy.
 */
export class DedupJobRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { buckets, spark }: SparkJobRoleProps) {
    super(scope, id);
    this.role = new Role(this, 'Role', {
      description: 'Meridian: dedup jobs on EMR Serverless',
      assumedBy: sparkJobTrust(spark),
    });
    grantListing(this.role, buckets.raw, buckets.storage, buckets.refined, buckets.quarantine, buckets.artifacts);
    grantCommitting(this.role, buckets.storage, buckets.refined, buckets.quarantine);
    grantReadingVersions(this.role, buckets.raw.arnForObjects('*'));
    grantReading(this.role, ...['cycles/*', 'jobs/*'].map((keys) => buckets.artifacts.arnForObjects(keys)));
    grantWriting(
      this.role,
      buckets.storage.arnForObjects('*'),
      buckets.refined.arnForObjects('*/_dedup/*'),
      buckets.quarantine.arnForObjects('*'),
      buckets.artifacts.arnForObjects('logs/*'),
    );
  }
}
