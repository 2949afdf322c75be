import { hostname } from 'node:os';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { ActivityGroup } from '../domain/activity-groups';
import { transportCheck } from '../edge/aws-endpoints';
import type { WorkerConfig } from './config';

const AWS_ATTEMPTS = 4;
/** What a session of a role may last when it is taken in another role's name; the SDK renews it before. @see STS AssumeRole, "Role chaining" */
const SESSION_SECONDS = 3_600;

/**
 * What every client has: an AWS call is given up and retried by the SDK, then by the activity; without limits a silent peer would hold
 * it for ever, and unless told to throw the SDK only warns of a request that is over time.
 */
export function clientLimits({ region, awsTimeoutSeconds }: WorkerConfig) {
  return { region, maxAttempts: AWS_ATTEMPTS, requestHandler: { connectionTimeout: 5_000, requestTimeout: awsTimeoutSeconds * 1_000, throwOnRequestTimeout: true } };
}

/** Temporary credentials of a group's role, taken with the first request. CloudTrail names the worker in them, as Temporal does. */
export function groupCredentials(config: WorkerConfig, group: ActivityGroup) {
  return fromTemporaryCredentials({
    params: { RoleArn: config.roles[group], RoleSessionName: sessionName(), DurationSeconds: SESSION_SECONDS },
    clientConfig: clientLimits(config),
    clientPlugins: [transportCheck],
  });
}

/** `<pid>@<host>`, in STS's letters and length. */
function sessionName(): string {
  return `${process.pid}@${hostname()}`.replace(/[^\w+=,.@-]/g, '-').slice(0, 64);
}
