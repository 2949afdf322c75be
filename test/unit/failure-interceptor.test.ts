import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { FailureType } from '../../domain/failure-type';
import { mapped } from '../../worker/failure-interceptor';

const named = (name: string, message = 'no', extra: object = {}) => Object.assign(new Error(message), { name }, extra);

test.each([
  ['AccessDeniedException', FailureType.Misconfigured, true],
  ['NoSuchBucket', FailureType.Misconfigured, true],
  ['ValidationException', FailureType.JobRefused, true],
  ['ThrottlingException', FailureType.Throttled, false],
  ['SlowDown', FailureType.Throttled, false],
  ['TimeoutError', 'TimeoutError', false],
])('%s becomes %s, final: %s', (name, type, nonRetryable) => {
  expect(mapped(named(name))).toMatchObject({ type, nonRetryable });
});

test('a wrong password is final, a refused connection is retried', () => {
  expect(mapped(named('error', 'password authentication failed', { code: '28P01' }))).toMatchObject({ nonRetryable: true });
  expect(mapped(named('Error', 'connect ECONNREFUSED', { code: 'ECONNREFUSED' }))).toMatchObject({
    nonRetryable: false,
    message: expect.stringContaining('ECONNREFUSED') as string,
  });
});

test('what already is a Temporal failure passes unchanged', () => {
  const failure = ApplicationFailure.nonRetryable('x', FailureType.TurnLost);
  const cancelled = new CancelledFailure('y');

  expect(mapped(failure)).toBe(failure);
  expect(mapped(cancelled)).toBe(cancelled);
});
