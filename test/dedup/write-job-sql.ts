import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { JOB_SQL_FILE, jobSqlText } from './support/job-sql';

mkdirSync(dirname(JOB_SQL_FILE), { recursive: true });
writeFileSync(JOB_SQL_FILE, jobSqlText());
