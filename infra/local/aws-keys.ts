import { randomBytes, randomInt } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Who may call a local AWS that enforces its policies. */
export interface AwsKeys {
  /** Of the administrator, who deploys; everyone else has a role's temporary credentials. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What a task shows to get the credentials of its role, as it does to the ECS agent. */
  readonly taskToken: string;
}

const KEY_ID_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Where they stand, readable by their owner alone. A stack that has this file enforces its policies. */
export function awsKeysFile(home: string): string {
  return join(home, 'aws', 'keys.json');
}

/** The keys of the stack in `home`; undefined: its AWS takes any credentials. */
export function readAwsKeys(home: string): AwsKeys | undefined {
  try {
    return JSON.parse(readFileSync(awsKeysFile(home), 'utf8')) as AwsKeys;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Drawn once. Idempotent by `home`. */
export function ensureAwsKeys(home: string): AwsKeys {
  const known = readAwsKeys(home);
  if (known !== undefined) return known;
  const id = Array.from({ length: 16 }, () => KEY_ID_CHARACTERS[randomInt(KEY_ID_CHARACTERS.length)]).join('');
  const secret = () => randomBytes(30).toString('base64url');
  const keys = { accessKeyId: `AKIA${id}`, secretAccessKey: secret(), taskToken: secret() };
  const file = awsKeysFile(home);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(keys), { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
  return keys;
}
