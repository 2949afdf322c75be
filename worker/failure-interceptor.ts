import { type ActivityExecuteInput, type ActivityInboundCallsInterceptor, type Next } from '@temporalio/worker';
import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { FailureType } from '../domain/failure-type';

/** Names of AWS errors, and of our own refusal of a plain http endpoint, that no retry mends: a person must. @see each service's API reference, "Common errors" */
const MISCONFIGURED = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'AuthorizationErrorException',
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'NoSuchBucket',
  'NotAuthorized',
  'ResourceNotFoundException',
  'SignatureDoesNotMatch',
  'TransportRefused',
  'UnrecognizedClientException',
]);
/** The request itself is wrong, and will be wrong again. */
const REFUSED = new Set(['ConflictException', 'IdempotentParameterMismatchException', 'InvalidInputException', 'ValidationException']);
const THROTTLED = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);
/** PostgreSQL: invalid authorization, insufficient privilege, unknown database. @see Appendix A of its manual */
const MISCONFIGURED_SQLSTATE = new Set(['28000', '28P01', '42501', '3D000']);
/** PostgreSQL's data exceptions: their messages quote the value that did not fit, which may be anything that a record holds. */
const DATA_EXCEPTION = /^22[0-9A-Z]{3}$/;
const THROTTLE_PAUSE = '5 seconds';

/** The one place that says which errors of AWS SDKs and PostgreSQL are worth a retry: those that are not become final failures. */
export class FailureInterceptor implements ActivityInboundCallsInterceptor {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      throw mapped(error);
    }
  }
}

/** A Temporal failure for anything that an activity threw. */
export function mapped(error: unknown): unknown {
  if (error instanceof TemporalFailure || error instanceof CancelledFailure || !(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code !== undefined && DATA_EXCEPTION.test(code)) {
    // Without its cause: the stack begins with the message.
    return ApplicationFailure.create({ message: `${error.name}: ${error.message.replace(/"[^]*"/, '"…"')} [code=${code}]`, type: error.name });
  }
  const message = `${error.name}: ${error.message}${code === undefined || code === error.name ? '' : ` [code=${code}]`}`;
  if (MISCONFIGURED.has(error.name) || (code !== undefined && MISCONFIGURED_SQLSTATE.has(code))) {
    return ApplicationFailure.create({ message, type: FailureType.Misconfigured, nonRetryable: true, cause: error });
  }
  if (REFUSED.has(error.name)) {
    return ApplicationFailure.create({ message, type: FailureType.JobRefused, nonRetryable: true, cause: error });
  }
  if (THROTTLED.has(error.name)) {
    return ApplicationFailure.create({ message, type: FailureType.Throttled, nextRetryDelay: THROTTLE_PAUSE, cause: error });
  }
  return ApplicationFailure.create({ message, type: error.name, cause: error });
}
