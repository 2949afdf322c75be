import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { FailureType } from '../../domain/failure-type';
import { transportFaults, withTransportCheck } from '../../edge/aws-endpoints';
import { isLoopback } from '../../edge/loopback';
import { readTemporalSettings } from '../../edge/temporal-settings';
import { mapped } from '../../worker/failure-interceptor';

const quiet = { HOME: '/nonexistent' }; // nobody's temporal.toml

test.each(['localhost', 'LocalHost', '127.0.0.1', '127.8.9.10', '::1', '[::1]', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'])('%s is loopback', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(['', '0.0.0.0', '10.0.0.1', '128.0.0.1', '127.0.0.1.example.com', 'localhost.example.com', '127.1', '2130706433', '::', '::2', 'fe80::1', '::ffff:10.0.0.1', 'my-localhost'])(
  '"%s" is not loopback',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);

test.each([{}, { TEMPORAL_ADDRESS: '127.0.0.1:7233' }, { TEMPORAL_ADDRESS: 'localhost' }, { TEMPORAL_ADDRESS: '[::1]:7233' }])('Temporal on loopback needs no TLS: %j', (env) => {
  expect(readTemporalSettings({ ...quiet, ...env })).toMatchObject({ namespace: 'default' });
});

test.each([
  { TEMPORAL_ADDRESS: 'temporal.example:7233' },
  { TEMPORAL_ADDRESS: '10.0.0.1:7233', TEMPORAL_TLS: 'false' },
  { TEMPORAL_ADDRESS: 'temporal.example:7233', TEMPORAL_TLS: 'false', TEMPORAL_API_KEY: 'canary-key' },
  { TEMPORAL_ADDRESS: '127.0.0.1.example.com:7233' },
  { TEMPORAL_ADDRESS: 'temporal.example:7233', MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL: 'no' },
])('another machine without TLS is refused, in one sentence that says what to set: %j', (env) => {
  const attempt = () => readTemporalSettings({ ...quiet, ...env });

  expect(attempt).toThrow(/^Temporal at \S+ would be spoken to without TLS: .*TEMPORAL_TLS=true.*MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL=1$/);
  expect(attempt).not.toThrow(/canary-key/);
});

test.each([{ TEMPORAL_TLS: 'true' }, { TEMPORAL_API_KEY: 'key' }, { TEMPORAL_TLS_SERVER_NAME: 'temporal.internal' }, { MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL: '1' }])(
  'another machine with TLS, or where the user says so, is taken: %j',
  (env) => {
    expect(readTemporalSettings({ ...quiet, TEMPORAL_ADDRESS: 'temporal.example:7233', ...env }).address).toBe('temporal.example:7233');
  },
);

test('every plain AWS endpoint on another machine is a fault, and so is switching off the check of certificates', () => {
  expect(
    transportFaults({
      AWS_ENDPOINT_URL: 'http://aws.example:4566',
      AWS_ENDPOINT_URL_S3: 'https://s3.example',
      AWS_ENDPOINT_URL_GLUE: 'http://127.0.0.1:4566',
      AWS_ENDPOINT_URL_SNS: 'http://[::1]:4566',
      AWS_ENDPOINT_URL_DYNAMODB: 'http://user:canary@10.0.0.1',
      AWS_ENDPOINT_URL_SQS: 'aws.example',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    }),
  ).toEqual([
    'AWS_ENDPOINT_URL: http://aws.example:4566 is not encrypted; expected https, or a loopback address',
    'AWS_ENDPOINT_URL_DYNAMODB: http://10.0.0.1 is not encrypted; expected https, or a loopback address',
    'AWS_ENDPOINT_URL_SQS: expected a URL',
    expect.stringContaining('NODE_TLS_REJECT_UNAUTHORIZED=0 accepts any certificate'),
  ]);
  expect(transportFaults({ NODE_TLS_REJECT_UNAUTHORIZED: '1' })).toEqual([]);
});

test('a client whose plain endpoint came from elsewhere sends nothing to another machine, and no retry is tried', async () => {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers.authorization ?? '');
    response.end('<ListAllMyBucketsResult/>');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const ask = async (host: string) => {
    const s3 = withTransportCheck(new S3Client({ endpoint: `http://${host}:${port}`, region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }));
    return s3.send(new ListBucketsCommand({})).finally(() => s3.destroy());
  };
  try {
    const refusal: unknown = await ask('0.0.0.0').catch((error: unknown) => error);

    expect(refusal).toMatchObject({ name: 'TransportRefused', message: expect.stringContaining('0.0.0.0') as unknown });
    expect(requests).toEqual([]);
    expect(mapped(refusal)).toBeInstanceOf(ApplicationFailure);
    expect(mapped(refusal)).toMatchObject({ type: FailureType.Misconfigured, nonRetryable: true });
    await ask('127.0.0.1');
    expect(requests).toHaveLength(1);
  } finally {
    server.close();
  }
});
