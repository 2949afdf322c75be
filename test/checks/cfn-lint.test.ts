import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meridianTemplates, type MeridianTemplates } from './meridian-templates';
import { runCheck } from './run-check';

interface Finding {
  readonly Filename: string;
  readonly Level: string;
  readonly Message: string;
  readonly Rule: { readonly Id: string };
  readonly Location: { readonly Path: readonly (string | number)[] | null };
}

const BROKEN = join(__dirname, 'broken.template.json');
/** The CDK writes every text with a reference in it so: a matter of taste, and not ours. */
const TASTE = 'I1022';

describe('cfn-lint on every template, down to its informational rules', () => {
  let templates: MeridianTemplates;
  let scratch: string;
  let findings: readonly Finding[];

  beforeAll(async () => {
    templates = meridianTemplates();
    scratch = mkdtempSync(join(tmpdir(), 'meridian-cfn-lint-'));
    const files = [...templates.files.values(), BROKEN];
    const { stdout, stderr } = await runCheck('cfn-lint', ['--include-checks', 'I', '--ignore-checks', TASTE, '--format', 'json', '--', ...files], scratch);
    if (stdout === '') throw new Error(`cfn-lint printed nothing: ${stderr}`);
    findings = JSON.parse(stdout) as readonly Finding[];
  });
  afterAll(() => {
    templates.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  const of = (file: string) =>
    findings.filter(({ Filename }) => Filename === file).map(({ Rule, Message, Location }) => `${Rule.Id} ${(Location.Path ?? []).join('/')}: ${Message}`);

  test('S2.25 finds nothing', () => {
    expect(templates.files.size).toBeGreaterThan(0);
    for (const [stack, file] of templates.files) expect([stack, of(file)]).toEqual([stack, []]);
  });

  test('would find a property that does not exist, and a value out of range', () => {
    expect(of(BROKEN)).toContainEqual(expect.stringMatching(/^E3002 Resources\/Open\/Properties\/Versioned: /));
    expect(of(BROKEN)).toContainEqual(expect.stringMatching(/^E3034 Resources\/Unsealed\/Properties\/MessageRetentionPeriod: /));
  });
});
