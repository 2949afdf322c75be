import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';

/**
 * Lets executions of a workflow move on with each build of the workers: one that lives for days, or by continuing as new, would keep the
 * build that began it from ever being stopped. A worker without a build must say nothing of it: Temporal refuses such a worker's answers,
 * and the execution would stand still.
 */
export function autoUpgrade(workflow: (...args: never[]) => Promise<unknown>): void {
  setWorkflowOptions(() => (workflowInfo().currentDeploymentVersion?.deploymentName ? { versioningBehavior: 'AUTO_UPGRADE' } : {}), workflow as (...args: unknown[]) => Promise<unknown>);
}
