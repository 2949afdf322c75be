import { join } from 'node:path';
import { pythonEnvironment } from './python-environment';

/** The emulator, PySpark, Sedona and pgpq. */
export const python = pythonEnvironment(join(__dirname, '..', 'aws', 'requirements.txt'), {
  name: 'python',
  title: 'Python environment (local AWS, PySpark 3.5, Sedona)',
  downloadMb: 520,
  diskMb: 1_100,
  seconds: 90,
});
