import type { LocalAws } from './local-aws';

/** A role that `service` may take on, on an AWS that takes any credentials. @returns its ARN */
export async function createServiceRole(aws: LocalAws, name: string, service: string): Promise<string> {
  const trust = { Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: service } }] };
  const form = { Action: 'CreateRole', Version: '2010-05-08', RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust) };
  const scope = `local/20260101/${aws.clientConfig.region}/iam/aws4_request`;
  const response = await fetch(aws.endpoint, {
    method: 'POST',
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none` },
    body: new URLSearchParams(form),
  });
  const arn = /<Arn>([^<]+)<\/Arn>/.exec(await response.text())?.[1];
  if (!response.ok || arn === undefined) throw new Error(`Role ${name} was not made: ${response.status}`);
  return arn;
}
