import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { synthesisedRoles } from '../support/iam/synthesised-roles';

writeFileSync(join(__dirname, '..', '..', 'docs', 'roles.md'), synthesisedRoles().page);
