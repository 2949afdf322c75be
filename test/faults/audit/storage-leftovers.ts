import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { Evidence } from './evidence';
import { sortPrefix } from './ledger';
import type { Findings } from './subject';

/**
 * Storage objects that no live chunk names, and announcements that nobody took back (docs/decisions/0008: announced before
 * they are written, removed by whoever commits or voids the chunk, best effort).
 * @returns files that linger though a voided chunk or an announcement still names them
 */
export async function auditStorageLeftovers(evidence: Evidence, findings: Findings): Promise<number> {
  const { live, ledger } = evidence;
  const named = new Set(live.flatMap((chunk) => chunk.document?.files.map((file) => file.key) ?? []));
  const known = new Set([...ledger.chunks.filter((chunk) => chunk.state === 'voided'), ...ledger.announcements].map(({ attempt }) => attempt));
  const lingering = (await storageKeys(evidence)).filter((key) => !named.has(key));
  const attemptOf = (key: string) => /\/([0-9a-f]+)-\d+\.parquet$/.exec(key)?.[1] ?? '';
  findings.addAll('storage file(s) that nobody knows of', lingering.filter((key) => !known.has(attemptOf(key))));
  auditAnnouncements(evidence, findings);
  return lingering.filter((key) => known.has(attemptOf(key))).length;
}

/** An announcement is a claim until its chunk is committed or its generation can commit nothing more. */
function auditAnnouncements({ record, ledger }: Evidence, findings: Findings): void {
  const generations = new Map(record.generations.map(({ name, cycle }) => [sortPrefix(cycle), name]));
  const open = ledger.announcements.filter(({ sortKey, chunk }) => {
    const prefix = sortKey.split('#').slice(0, 3).join('#') + '#';
    const generation = generations.get(prefix);
    const committed = ledger.chunks.some((each) => each.generation === generation && each.chunk === chunk && each.state === 'committed');
    return !committed && !ledger.voidMarkers.includes(prefix);
  });
  findings.addAll('announced attempt(s) neither committed nor voided', open.map(({ sortKey }) => sortKey));
}

async function storageKeys({ subject }: Evidence): Promise<readonly string[]> {
  const { s3, names } = subject.access;
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: names.buckets.storage, Prefix: `${subject.spec.dataset}/` })) {
    keys.push(...(page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
  }
  return keys;
}
