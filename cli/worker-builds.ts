import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, ServiceError } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

/** A build of the workers, as Temporal knows it. */
export interface Build {
  readonly buildId: string;
  /** `current`, `inactive`, `draining`, `drained`, …: Temporal's own word, in lower case; it lags behind `open` by minutes. */
  readonly status: string;
  readonly current: boolean;
  /** Executions that are pinned to it and run. */
  readonly open: number;
}

/** What is looked at together. */
export interface Deployment {
  readonly client: Client;
  /** Temporal's name for our workers together; builds are its versions. */
  readonly name: string;
}

const LOOK_MS = 2_000;
/** Temporal hears of a build with its first poll of each queue, and tells of it a moment later. */
const SETTLE_LIMIT_MS = 30_000;
/** gRPC's codes */
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const { WorkerDeploymentVersionStatus } = temporal.api.enums.v1;

/** Every build that Temporal knows, the newest first. */
export async function listBuilds(deployment: Deployment): Promise<readonly Build[]> {
  const info = await describe(deployment);
  const current = info?.routingConfig?.currentDeploymentVersion?.buildId;
  return Promise.all(
    (info?.versionSummaries ?? []).map(async ({ deploymentVersion, status }) => {
      const buildId = deploymentVersion?.buildId ?? '';
      const word = (WorkerDeploymentVersionStatus[status ?? 0] ?? '').replace('WORKER_DEPLOYMENT_VERSION_STATUS_', '').toLowerCase();
      return { buildId, status: word, current: buildId === current, open: await openOn(deployment, buildId) };
    }),
  );
}

/** Executions that no build has: begun by unversioned workers, which must go on until they have ended. */
export async function openOnNoBuild({ client }: Deployment, taskQueue: string): Promise<number> {
  const { count } = await client.workflow.count(`TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running' AND TemporalWorkerDeploymentVersion IS NULL`);
  return count;
}

/**
 * Routes new executions to a build; what runs stays where it is. Idempotent.
 * @returns the build that was current before; undefined: none, or this one
 * @throws Error when no worker of the build polls every queue that the current build's workers poll
 */
export async function promoteBuild(deployment: Deployment, buildId: string): Promise<string | undefined> {
  const { client, name: deploymentName } = deployment;
  const { namespace } = client.options;
  for (const deadline = Date.now() + SETTLE_LIMIT_MS; ; await sleep(LOOK_MS / 10)) {
    try {
      const { previousDeploymentVersion: before } = await client.workflowService.setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId, identity: 'meridian builds promote' });
      return before?.buildId == null || before.buildId === '' || before.buildId === buildId ? undefined : before.buildId;
    } catch (error) {
      const code = codeOf(error);
      if ((code !== NOT_FOUND && code !== FAILED_PRECONDITION) || Date.now() > deadline) {
        const known = (await listBuilds(deployment)).map((build) => build.buildId);
        throw new Error(
          `Build ${buildId} was not promoted, and nothing was changed: expected running workers with MERIDIAN_WORKER_BUILD_ID=${buildId} on every queue of the ` +
            `current build; Temporal knows ${known.join(', ') || 'no build'} (${error instanceof Error ? error.message : String(error)})`,
        );
      }
    }
  }
}

/**
 * Looks until nothing is pinned to a build, or `limitMs` is over. New executions become visible a moment after they began, so that
 * nothing is believed only when seen twice.
 * @returns how many executions are still pinned to it
 * @throws Error for a build that Temporal does not know, and for the current one
 */
export async function drainBuild(deployment: Deployment, buildId: string, limitMs: number, onOpen: (open: number) => void): Promise<number> {
  const builds = await listBuilds(deployment);
  const build = builds.find((each) => each.buildId === buildId);
  if (build === undefined) throw new Error(`Temporal knows no build ${buildId}: there are ${builds.map((each) => each.buildId).join(', ') || 'none'}. A worker that was started with MERIDIAN_WORKER_BUILD_ID makes its build known`);
  if (build.current) throw new Error(`Build ${buildId} is the current one and gets every new execution: \`meridian builds promote\` another first`);
  let before: number | undefined;
  for (const deadline = Date.now() + limitMs; ; await sleep(LOOK_MS)) {
    const open = await openOn(deployment, buildId);
    if (open === 0 && before === 0) return 0;
    if (open > 0 && Date.now() >= deadline) return open;
    onOpen(open);
    before = open;
  }
}

/** What upgrades by itself, such as a backfill, goes to the current build with its next step: nothing keeps it where it is. */
async function openOn({ client, name }: Deployment, buildId: string): Promise<number> {
  const { count } = await client.workflow.count(`TemporalWorkerDeploymentVersion = '${name}:${buildId}' AND TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'`);
  return count;
}

async function describe({ client, name }: Deployment) {
  try {
    const { workerDeploymentInfo } = await client.workflowService.describeWorkerDeployment({ namespace: client.options.namespace, deploymentName: name });
    return workerDeploymentInfo ?? undefined;
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  const cause = error instanceof ServiceError ? error.cause : error;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}
