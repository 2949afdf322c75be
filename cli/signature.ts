import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { signatureFaults } from '../domain/decision';
import { UsageError } from './output';

export interface SignatureOptions {
  readonly by: string;
  readonly reason: string;
}

/** Adds `--by` and `--reason`: what is done by a person says who and why. */
export function signed(command: Command, what: string, { reason = 'required' }: { readonly reason?: 'required' | 'optional' } = {}): Command {
  command.option('--by <name>', `who ${what}, for the record`, systemUser());
  const why = ['--reason <text>', 'why, for the record'] as const;
  return reason === 'required' ? command.requiredOption(...why) : command.option(...why);
}

/** @throws UsageError for a name or a reason that the record does not take */
export function checkSignature(options: SignatureOptions): SignatureOptions {
  const faults = signatureFaults(options);
  if (faults.length > 0) throw new UsageError(faults.map((fault) => `--${fault}`).join('; '));
  return { by: options.by, reason: options.reason };
}

/** Whose account this is. */
export function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown'; // an id without an entry, as in some containers
  }
}
