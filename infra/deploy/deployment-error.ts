/** A deployment that cannot go on, said in one sentence for a person: what, expected, found, next step. */
export class DeploymentError extends Error {
  override readonly name = 'DeploymentError';
}
