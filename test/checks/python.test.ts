import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCheck } from './run-check';

const ROOT = join(__dirname, '..', '..');

describe('our Python: the local AWS and the jobs', () => {
  test('names nothing that is not there, and imports nothing in vain', async () => {
    const { exitCode, stdout, stderr } = await runCheck('pyflakes', ['infra/local/aws', 'jobs'], ROOT);

    expect([exitCode, stdout, stderr]).toEqual([0, '', '']);
  });

  test('a name that nobody imported is found', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'meridian-pyflakes-'));
    try {
      writeFileSync(join(scratch, 'job.py'), 'print(json.dumps({}))\n');
      const { exitCode, stdout } = await runCheck('pyflakes', ['job.py'], scratch);

      expect([exitCode, stdout]).toEqual([1, expect.stringContaining("undefined name 'json'")]);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});
