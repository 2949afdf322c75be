import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';

/** DynamoDB tables of the dedup ledger and of the raw objects' states; on demand, so that they cost nothing between nights. */
export class DedupTables extends Construct {
  /** Segments, commit logs, chunks and fences; segments and logs expire by `ttl` (S2.15). */
  readonly ledger: Table;
  /** Which version of which raw object was loaded or set aside. */
  readonly objects: Table;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.ledger = this.table('Ledger');
    this.objects = this.table('Objects');
  }

  private table(id: string): Table {
    return new Table(this, id, {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: 'ttl',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }
}
