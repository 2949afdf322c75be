import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Puts the message and stack trace of a failure into a payload, which the codec encrypts; in clear stays `Encoded failure`.
 * Temporal loads it by path and by this name, in the worker and inside the workflow bundle.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
