import {
  BatchCreatePartitionCommand,
  BatchDeletePartitionCommand,
  CreateDatabaseCommand,
  CreateTableCommand,
  GetPartitionsCommand,
  GlueClient,
} from '@aws-sdk/client-glue';
import { type LocalAws, startLocalAws } from '../support/local-aws';

const TABLE = { DatabaseName: 'lake', TableName: 'positions' };

let aws: LocalAws;
let glue: GlueClient;

beforeAll(async () => {
  aws = await startLocalAws();
  glue = new GlueClient(aws.clientConfig);
  await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: TABLE.DatabaseName } }));
  await glue.send(
    new CreateTableCommand({
      DatabaseName: TABLE.DatabaseName,
      TableInput: { Name: TABLE.TableName, PartitionKeys: [{ Name: 'run_id', Type: 'string' }, { Name: 'origin', Type: 'string' }] },
    }),
  );
});
afterAll(async () => {
  glue.destroy();
  await aws.stop();
});

test('S2.10 BatchDeletePartition takes partitions out of the catalog, and names those that are not there', async () => {
  const values = [['g1', 'added'], ['g1', 'kept'], ['g2', 'added']];
  await glue.send(new BatchCreatePartitionCommand({ ...TABLE, PartitionInputList: values.map((each) => ({ Values: each })) }));

  const { Errors } = await glue.send(
    new BatchDeletePartitionCommand({ ...TABLE, PartitionsToDelete: [['g1', 'added'], ['g1', 'kept'], ['g9', 'added']].map((each) => ({ Values: each })) }),
  );

  const { Partitions } = await glue.send(new GetPartitionsCommand(TABLE));
  expect(Partitions?.map((each) => each.Values)).toEqual([['g2', 'added']]);
  expect(Errors).toMatchObject([{ PartitionValues: ['g9', 'added'], ErrorDetail: { ErrorCode: 'EntityNotFoundException' } }]);
});

test('more than 25 partitions are refused, as the service refuses them', async () => {
  const tooMany = Array.from({ length: 26 }, (_, index) => ({ Values: [`g${index}`, 'added'] }));

  await expect(glue.send(new BatchDeletePartitionCommand({ ...TABLE, PartitionsToDelete: tooMany }))).rejects.toMatchObject({
    name: 'InvalidInputException',
  });
});
