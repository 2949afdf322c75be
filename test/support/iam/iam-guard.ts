import { STACK_OUTPUTS, type StackOutput } from '../../../domain/stack-outputs';
import type { AwsCall, AwsGuard, AwsResponse } from '../../faults/engines/aws-proxy';
import { type AccessRequest, type IamTemplate, RolePolicies } from './role-policies';
import { requestsOfCall } from './requests-of-call';

/** Something that a role asked for. */
export interface Asked extends AccessRequest {
  readonly role: string;
}

/**
 * IAM as the template has it, in front of a local AWS that asks for no permission: a session may do what its role's policies say, and a
 * worker with its own credentials may take its roles (S2.21).
 */
export class IamGuard implements AwsGuard {
  /** By role, what of its grants some call needed. */
  readonly used = new Map<string, Set<string>>();
  readonly denied: Asked[] = [];
  private readonly sessions = new Map<string, string>();
  /** What stands in requests → the name in the template. */
  private readonly names: readonly (readonly [physical: string, name: string])[];
  readonly policies: RolePolicies;

  /** @param env - the outputs of the deployed stack, by their variables */
  constructor(template: IamTemplate, env: Readonly<Record<string, string>>) {
    this.policies = new RolePolicies(template);
    this.names = (Object.keys(STACK_OUTPUTS) as StackOutput[])
      .map((key) => [lastPart(env[STACK_OUTPUTS[key]] ?? ''), lastPart(this.policies.output(key))] as const)
      .filter(([physical, name]) => physical !== name && physical !== '')
      // One name may begin another.
      .sort(([one], [other]) => other.length - one.length);
  }

  refusal(call: AwsCall): AwsResponse | undefined {
    if (call.path === TASK_CREDENTIALS) return undefined; // has a token of its own
    const role = this.sessions.get(call.accessKeyId) ?? WORKER;
    for (const request of requestsOfCall(call)) {
      const asked = { ...request, role, resource: this.named(request.resource) };
      if (this.policies.allows(role, asked)) {
        const used = this.used.get(role) ?? new Set<string>();
        this.used.set(role, used);
        for (const grant of this.policies.grantsOf(role, asked)) used.add(grant);
        continue;
      }
      this.denied.push(asked);
      return accessDenied(call, asked);
    }
    return undefined;
  }

  /** Learns the session that an answer of AssumeRole begins. */
  answered(call: AwsCall, { body }: AwsResponse): void {
    if (call.service !== 'sts') return;
    const accessKeyId = /<AccessKeyId>([^<]+)</.exec(body.toString())?.[1];
    const roleArn = new URLSearchParams(call.body.toString()).get('RoleArn');
    if (accessKeyId !== undefined && roleArn !== null) this.sessions.set(accessKeyId, lastPart(this.named(roleArn)));
  }

  private named(resource: string): string {
    const named = this.names.reduce((text, [physical, name]) => text.replace(physical, name), resource);
    // The local account and region stand for any.
    return named.replace(/^(arn:aws:[a-z-]+):[a-z0-9-]*:\d{12}:/, (_, service: string) => (service.endsWith(':iam') ? `${service}::111122223333:` : `${service}:eu-central-1:111122223333:`));
  }
}

const WORKER = 'RolesWorker';
/** Where a worker of an AWS that enforces its policies gets its own role's. */
const TASK_CREDENTIALS = '/_meridian/task-credentials';

/** `name` of an ARN, a URL or a name. */
function lastPart(text: string): string {
  return text.split(/[:/]/).at(-1) ?? '';
}

/** As each protocol says it. */
function accessDenied({ service }: AwsCall, { role, action, resource }: Asked): AwsResponse {
  const message = `${role} is not authorized to perform ${action} on ${resource}`;
  const xml = service === 's3' || service === 'sns' || service === 'sts';
  const error = `<Error><Code>AccessDenied</Code><Message>${message}</Message></Error>`;
  return {
    status: 403,
    headers: xml ? { 'content-type': 'application/xml' } : { 'content-type': 'application/json', 'x-amzn-errortype': 'AccessDeniedException' },
    body: Buffer.from(!xml ? JSON.stringify({ __type: 'AccessDeniedException', message }) : service === 's3' ? error : `<ErrorResponse>${error}</ErrorResponse>`),
  };
}
