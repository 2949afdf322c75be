import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCheck } from './run-check';

const ROOT = join(__dirname, '..', '..');
const COMPOSE = 'docker-compose.temporal.yml';

describe('Files that others read, by the schemas that check-jsonschema brings', () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'meridian-schemas-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** What is wrong with the files by a schema; empty when nothing is. */
  async function faults(schema: string, files: readonly string[]): Promise<readonly string[]> {
    const { stdout, stderr } = await runCheck('check-jsonschema', ['--builtin-schema', schema, '--output-format', 'json', ...files], ROOT);
    if (!stdout.startsWith('{')) throw new Error(`check-jsonschema printed no report: ${stderr}`);
    const { status, errors, parse_errors } = JSON.parse(stdout) as {
      readonly status: string;
      readonly errors: readonly { readonly path: string; readonly message: string; readonly best_deep_match?: { readonly path: string; readonly message: string } }[];
      readonly parse_errors?: readonly { readonly message: string }[];
    };
    const found = [...errors.map(({ path, message, best_deep_match: deep }) => `${deep?.path ?? path} ${deep?.message ?? message}`), ...(parse_errors ?? []).map(({ message }) => message)];
    if (status !== 'ok' && found.length === 0) throw new Error(`check-jsonschema says ${status} without a reason: ${stdout}`);
    return found;
  }

  test('S2.25 the compose file is one by the Compose specification', async () => {
    expect(await faults('vendor.compose-spec', [COMPOSE])).toEqual([]);
  });

  test('a compose file with a misspelt or misplaced word would not be', async () => {
    const broken = join(scratch, 'broken.yml');
    writeFileSync(broken, readFileSync(join(ROOT, COMPOSE), 'utf8').replace('healthcheck:', 'healtcheck:').replace('condition: service_healthy', 'condition: healthy'));

    const found = (await faults('vendor.compose-spec', [broken])).join('\n');

    expect(found).toContain('healtcheck');
    expect(found).toContain("'healthy'");
  });

  test('S2.26 the workflows are those of GitHub Actions', async () => {
    const folder = join('.github', 'workflows');
    expect(await faults('vendor.github-workflows', readdirSync(join(ROOT, folder)).map((file) => join(folder, file)))).toEqual([]);
  });
});
