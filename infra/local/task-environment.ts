import { devNull } from 'node:os';

/** Where the local AWS hands out a role's credentials, see `infra/local/aws/meridian_aws/task_credentials.py`. */
const CREDENTIALS_PATH = '/_meridian/task-credentials';
const OWN_KEYS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE', 'MERIDIAN_TASK_TOKEN'];

/**
 * The environment of a worker: on an AWS that enforces its policies it has no keys but asks for those of its role, as a Fargate task
 * does. Elsewhere the environment as it is.
 */
export function taskEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const { MERIDIAN_TASK_TOKEN: token, MERIDIAN_WORKER_ROLE_ARN: role, AWS_ENDPOINT_URL: endpoint } = env;
  if (token === undefined || role === undefined || endpoint === undefined) return env;
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !OWN_KEYS.includes(name))),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}${CREDENTIALS_PATH}?${new URLSearchParams({ role }).toString()}`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
    // SDKs ask a person's own profile before they ask the container's.
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_CONFIG_FILE: devNull,
  };
}
