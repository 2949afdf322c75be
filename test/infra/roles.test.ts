import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Activities } from '../../activities';
import { ACTIVITY_GROUP_NAMES, ACTIVITY_GROUPS, type ActivityOf, type ActivityGroup } from '../../domain/activity-groups';
import { NEVER } from '../support/iam/roles-page';
import { nameOf } from '../support/iam/role-policies';
import { synthesisedRoles } from '../support/iam/synthesised-roles';

const { rows, policies, wildcards, page } = synthesisedRoles();
const groupRoles = ACTIVITY_GROUP_NAMES.map((group) => `Roles${group.charAt(0).toUpperCase()}${group.slice(1)}`);

test('S1.13 S2.21 docs/roles.md is what the template grants and denies, action by resource by role: run "npm run roles-page", and read the difference', () => {
  expect(readFileSync(join(__dirname, '../../docs/roles.md'), 'utf8')).toBe(page);
});

test('S2.21 every wildcard of a resource has a reason where it is granted, and no action is one', () => {
  expect(wildcards.filter(({ why }) => why === '')).toEqual([]);
  expect(policies.statements.flatMap(({ actions }) => actions).filter((action) => /[*?]/.test(action))).toEqual([]);
});

test('S2.21 what nobody may do is denied to every role, and is about things of this stack', () => {
  const known = new Set([...policies.statements.flatMap(({ resources }) => resources), ...rows.map(({ name }) => name)].map((resource) => lastName(resource)));

  for (const request of NEVER) expect([request, rows.map(({ name }) => name).filter((name) => policies.allows(name, request))]).toEqual([request, []]);
  expect(NEVER.map(({ resource }) => lastName(resource)).filter((name) => name !== 'x' && !known.has(name))).toEqual([]);
});

test('S2.21 the worker itself may take the roles of its activities, which only it may take, and nothing else', () => {
  expect(policies.of('RolesWorker').map(({ actions, resources }) => [actions, resources.map(lastName)])).toEqual([[['sts:AssumeRole'], [...groupRoles].sort()]]);
  expect(rows.filter(({ trusted }) => trusted === 'RolesWorker').map(({ name }) => name)).toEqual(groupRoles);
});

test('S1.13 a role used for another’s action is refused: each group’s are its own', () => {
  const put = (resource: string) => ({ action: 's3:PutObject', resource: `arn:aws:s3:::${resource}` });
  const allowed = (request: { readonly action: string; readonly resource: string }) => [...groupRoles, 'SparkJobRole', 'DedupJobRole', 'QualityRole'].filter((role) => policies.allows(role, request));

  expect(allowed(put('LakeStorage/positions/event_date=2024-01-01/a-0.parquet'))).toEqual(['RolesIngest', 'DedupJobRole']);
  expect(allowed(put('LakeRefined/mobile/20240101T000000Z/g0001/_dedup/000000-1/_manifest.json'))).toEqual(['SparkJobRole', 'DedupJobRole']);
  expect(allowed(put('LakeRefined/mobile/20240101T000000Z/g0001/_manifest.json'))).toEqual(['SparkJobRole']);
  expect(allowed(put('LakeArtifacts/cycles/mobile/20240101T000000Z/g0001/manifest.json'))).toEqual(['RolesIngest', 'RolesTransform']);
  expect(allowed(put('LakeArtifacts/dry-runs/mobile.dry/20240101T000000Z/g0001/diff.json'))).toEqual(['RolesDryRun']);
});

test('every activity that is listed belongs to one group, and each that is made is taken from there', () => {
  const listed: readonly ActivityOf<ActivityGroup>[] = ACTIVITY_GROUP_NAMES.flatMap((group) => [...ACTIVITY_GROUPS[group].activities]);

  expect(listed.filter((name, index) => listed.indexOf(name) !== index)).toEqual([]);
  expect(listed satisfies readonly (keyof Activities)[]).toContain('dedupChunks');
});

/** `LakeRaw` of an ARN of the bucket or of what is in it; else the last part. */
function lastName(resource: string): string {
  const [, bucket] = /^arn:aws:s3:::([^/]+)/.exec(resource) ?? [];
  return nameOf(bucket ?? resource.split(/[:/]/).at(-1) ?? '');
}
