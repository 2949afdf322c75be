import { join } from 'node:path';
import { pythonEnvironment } from './python-environment';

/** cfn-lint, checkov, zizmor, pyflakes and check-jsonschema, beside each other's dependencies and not beside PySpark's; the tests alone need it. */
export const checksPython = pythonEnvironment(join(__dirname, '..', '..', 'checks', 'requirements.txt'), {
  name: 'checks-python',
  title: 'Python environment of the checks (cfn-lint, checkov, zizmor, pyflakes, check-jsonschema)',
  downloadMb: 75,
  diskMb: 445,
  seconds: 60,
});
