/** What CloudFormation may do in one service, to make, read, change and delete the resources of our templates there. */
export interface ServicePermission {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Why a resource with a wildcard cannot be named more closely. */
  readonly why: string;
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** CloudFormation names resources by their stack; the deployment stack's own are in none of these. */
export const DEPLOYED_STACKS = ['Meridian', 'MeridianRuntime', 'MeridianMonitoring'] as const;
/** Why a name is known by its beginning alone. */
export const NAMED = 'CloudFormation draws the rest of the name: the stack is the prefix, and no resource of another stack has it';
/** Why no name says which resource. */
export const DRAWN = 'AWS draws the id, so that no name says beforehand which resource is meant';
/** Why the resource is "*". */
export const UNNAMED = 'The action knows no resources: it is asked for before there is one, or lists all';

/** Actions of one service. */
export const of = (service: string, ...verbs: readonly string[]) => verbs.map((verb) => `${service}:${verb}`);
