import { App, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptFinding, acceptWildcards } from '../../infra/aws/accepted-findings';
import { meridianTemplates } from './meridian-templates';
import { nagReport } from './nag-report';

describe("cdk-nag's AwsSolutions rules on every stack of the app", () => {
  const { app, remove } = meridianTemplates();
  afterAll(remove);
  const report = nagReport(app);

  test('S1.10 S2.21 nothing is found that no reason excuses', () => {
    expect(report.findings.length).toBeGreaterThan(0);
    expect(report.unexplained).toEqual([]);
    expect(new AwsSolutionsChecks().validateScope(app)).toMatchObject({ success: true, violations: [] });
  });

  test('S1.10 no excuse is left over', () => {
    expect(report.unused).toEqual([]);
  });

  test('S2.21 every excuse has a reason in words, and a wildcard is excused one by one', () => {
    for (const { reason } of report.excuses) expect(reason.split(' ').length).toBeGreaterThanOrEqual(8);
    expect(report.excuses.filter(({ rule }) => rule === 'AwsSolutions-IAM5')).toEqual([]);
    expect(report.excuses.filter(({ rule }) => rule.includes('[Action::'))).toEqual([]);
  });
});

describe('The report that is asserted', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'meridian-nag-'));
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));
  const app = new App({ outdir, analyticsReporting: false });
  const stack = new Stack(app, 'Example');
  const bucket = new Bucket(stack, 'Bucket');
  const role = new Role(stack, 'Role', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  const read = (resources: string[]) => role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources }));
  read([bucket.arnForObjects('a/*'), bucket.arnForObjects('b/*')]);
  acceptFinding(bucket, 'S1', 'excused');
  acceptFinding(role, 'EC23', 'of no use');
  acceptWildcards(role, 'excused', bucket.arnForObjects('a/*'), bucket.arnForObjects('one'));
  const report = nagReport(app);

  test('names what is found without an excuse, with the resource', () => {
    expect(report.unexplained).toContainEqual({ rule: 'AwsSolutions-S10', path: 'Example/Bucket/Resource' });
    expect(report.unexplained.filter(({ rule }) => rule.includes('IAM5'))).toEqual([
      { rule: expect.stringMatching(/^AwsSolutions-IAM5\[Resource::<Bucket\w+\.Arn>\/b\/\*\]$/) as unknown, path: 'Example/Role/DefaultPolicy/Resource' },
    ]);
    expect(report.unexplained.map(({ rule }) => rule)).not.toContain('AwsSolutions-S1');
  });

  test('names the excuse that nothing needs', () => {
    expect(report.unused).toEqual([{ rule: 'AwsSolutions-EC23', path: 'Example/Role', reason: 'of no use' }]);
  });
});
