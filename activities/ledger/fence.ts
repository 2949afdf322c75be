import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { ApplicationFailure } from '@temporalio/common';
import { FailureType } from '../../domain/failure-type';
import { fenceKey } from './keys';

/**
 * Raises the epoch that every commit and void of the dataset is held to. It only grows.
 * @throws `TurnLost`, not retryable: a newer epoch is there
 */
export async function raiseFence(
  dynamodb: DynamoDBClient,
  table: string,
  dataset: string,
  epoch: number,
  signal: AbortSignal,
): Promise<void> {
  const { pk, sk } = fenceKey(dataset);
  try {
    await dynamodb.send(
      new UpdateItemCommand({
        TableName: table,
        Key: { pk: { S: pk }, sk: { S: sk } },
        UpdateExpression: 'set epoch = :epoch',
        ConditionExpression: 'attribute_not_exists(epoch) or epoch <= :epoch',
        ExpressionAttributeValues: { ':epoch': { N: String(epoch) } },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
      { abortSignal: signal },
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    throw ApplicationFailure.create({
      message: `Dataset "${dataset}" is under epoch ${error.Item?.epoch?.N ?? 'unknown'}: epoch ${epoch} is older, so another cycle has the turn`,
      type: FailureType.TurnLost,
      nonRetryable: true,
      cause: error,
    });
  }
}
