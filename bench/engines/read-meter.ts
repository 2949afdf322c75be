import type { AttributeValue, BatchGetItemCommandInput, BatchGetItemCommandOutput, DynamoDBClient, GetItemCommandInput, GetItemCommandOutput, QueryCommandInput, QueryCommandOutput } from '@aws-sdk/client-dynamodb';

/** What a client read, by DynamoDB's rules: the emulator counts every read as one unit, whatever its size. */
export interface ReadMeter {
  /** Since `reset`. */
  readonly units: number;
  /** Partition keys that were asked for, each as often as it was named. */
  readonly partitions: readonly string[];
  reset(): void;
}

type Item = Readonly<Record<string, AttributeValue>>;
type Input = Partial<QueryCommandInput & GetItemCommandInput> & { readonly RequestItems?: BatchGetItemCommandInput['RequestItems'] | object };

/** A consistent read unit is 4 KB of an item, of all items of a Query's page together; nothing found is one unit. */
const UNIT_BYTES = 4 * 1024;

/** Watches a client's reads from now on; all of the product's are consistent. */
export function meterReads(client: DynamoDBClient): ReadMeter {
  let units = 0;
  let partitions: string[] = [];
  client.middlewareStack.add(
    (next) => async (call) => {
      const answered = await next(call);
      const input = call.input as Input;
      const output = answered.output as Partial<QueryCommandOutput & GetItemCommandOutput & BatchGetItemCommandOutput>;
      if (input.KeyConditionExpression !== undefined) {
        partitions.push(input.ExpressionAttributeValues?.[':pk']?.S ?? '');
        units += unitsOf((output.Items ?? []).reduce((sum, item) => sum + sizeOf(item), 0));
      } else if (output.Responses !== undefined) {
        const keys = Object.values(input.RequestItems as NonNullable<BatchGetItemCommandInput['RequestItems']>).flatMap(({ Keys }) => Keys ?? []);
        const items = Object.values(output.Responses).flat();
        partitions.push(...keys.map(({ pk }) => pk?.S ?? ''));
        units += items.reduce((sum, item) => sum + unitsOf(sizeOf(item)), keys.length - items.length);
      } else if (input.ConsistentRead !== undefined) {
        partitions.push(input.Key?.['pk']?.S ?? '');
        units += unitsOf(sizeOf(output.Item ?? {}));
      }
      return answered;
    },
    { step: 'initialize', name: 'readMeter' },
  );
  return {
    get units() {
      return units;
    },
    get partitions() {
      return partitions;
    },
    reset() {
      [units, partitions] = [0, []];
    },
  };
}

function unitsOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / UNIT_BYTES));
}

/** Names and values in bytes; a number takes one for two digits and one more. @see "DynamoDB item sizes and formats" */
function sizeOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes({ S, N, B, L, M }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S);
  if (N !== undefined) return Math.ceil(N.length / 2) + 1;
  if (B !== undefined) return B.length;
  if (L !== undefined) return 3 + L.reduce((sum, each) => sum + 1 + valueBytes(each), 0);
  if (M !== undefined) return 3 + Object.keys(M).length + sizeOf(M);
  return 1;
}
