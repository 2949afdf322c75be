import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, type CfnTable, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { DedupTablesProps } from './dedup-tables-props';

/** DynamoDB tables of the dedup ledger and of the raw objects' states; on demand, so that they cost nothing between nights. */
export class DedupTables extends Construct {
  /** Segments, commit logs, chunks and fences; segments and logs expire by `ttl` (S2.15). */
  readonly ledger: Table;
  /** Which version of which raw object was loaded or set aside. */
  readonly objects: Table;

  constructor(scope: Construct, id: string, props: DedupTablesProps) {
    super(scope, id);
    this.ledger = this.table('Ledger', props);
    this.objects = this.table('Objects', props);
  }

  private table(id: string, { key }: DedupTablesProps): Table {
    const table = new Table(this, id, {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: 'ttl',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true, // without the ledger, storage is files that nobody knows the state of
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // Tables encrypt in any case: without this, under a key that DynamoDB owns.
    (table.node.defaultChild as CfnTable).sseSpecification = key.whenUsed({ SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: key.arn });
    return table;
  }
}
