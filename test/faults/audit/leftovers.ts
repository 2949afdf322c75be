import { GetPartitionsCommand } from '@aws-sdk/client-glue';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { Evidence } from './evidence';
import { auditScratch } from './scratch';
import { auditStorageLeftovers } from './storage-leftovers';
import { Findings, type Finding } from './subject';

const FAILED_STATES = ['failed', 'cancelled', 'rejected'];

/** I7: whatever a scenario did, nothing is left that costs money, blocks the next night or counts where it should not. */
export async function auditLeftovers(evidence: Evidence): Promise<Finding> {
  const findings = new Findings('I7');
  auditTurn(evidence, findings);
  auditClaims(evidence, findings);
  await auditTables(evidence, findings);
  await auditMultipartUploads(evidence, findings);
  await auditTransactions(evidence, findings);
  const lingeringFiles = await auditStorageLeftovers(evidence, findings);
  const scratchFolders = await auditScratch(evidence.subject, findings);
  return { violations: findings.violations, counts: { lingeringFiles, scratchFolders, gatePartitions: await countGatePartitions(evidence) } };
}

function auditTurn({ subject, record, ledger }: Evidence, findings: Findings): void {
  if (record.turn?.holder != null) findings.add(`the turn of ${subject.spec.dataset} is held by ${record.turn.holder}`);
  if (record.turn !== undefined && (ledger.fenceEpoch ?? 0) > record.turn.epoch) {
    findings.add(`the fence is at epoch ${ledger.fenceEpoch}, the turn at ${record.turn.epoch}`);
  }
  findings.addAll('open cycle record(s)', record.generations.filter(({ outcome }) => outcome === null).map(({ name }) => name));
}

/** A chunk is committed for a generation that stands, or voided. */
function auditClaims({ record, ledger, live }: Evidence, findings: Findings): void {
  const failed = new Set(record.generations.filter(({ outcome }) => FAILED_STATES.includes(outcome ?? '')).map(({ name }) => name));
  findings.addAll('live chunk(s) of a generation that was given up', live.filter((chunk) => failed.has(chunk.generation)).map((chunk) => chunk.name));
  findings.addAll('chunk(s) neither committed nor voided', ledger.chunks.filter((chunk) => !['committed', 'voided'].includes(chunk.state)).map((chunk) => chunk.name));
}

/** Only the served version of a relation, those kept before it, and the candidate of a blocked night that nothing has overtaken. */
async function auditTables({ subject, record }: Evidence, findings: Findings): Promise<void> {
  const latest = record.promotions.at(-1)?.sequence ?? 0;
  const blocked = new Set(record.generations.filter(({ outcome }) => outcome === 'blocked').map(({ name }) => name));
  for (const { name } of subject.spec.relations) {
    const versions = record.versions.filter((version) => version.relation === name);
    const kept = versions
      .filter((version) => version.state === 'retired')
      .sort((a, b) => (b.promotedAt?.getTime() ?? 0) - (a.promotedAt?.getTime() ?? 0) || b.version - a.version)
      .slice(0, subject.spec.promotion.keepVersions);
    const candidates = versions.filter((version) => version.state === 'loaded' && blocked.has(version.generation) && version.baseSequence >= latest);
    const allowed = new Set([...versions.filter((version) => version.state === 'promoted'), ...kept, ...candidates].map((version) => version.table));
    const { rows } = await subject.access.pool.query<{ table: string }>(
      `select relname as table from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname ~ $1 order by 1`,
      [`^${name}_v[0-9]+$`],
    );
    const orphans = rows.filter(({ table }) => !allowed.has(table));
    findings.addAll(
      `orphan table(s) of ${name}`,
      orphans.map(({ table }) => `${table} (${versions.find((version) => version.table === table)?.state ?? 'on no record'})`),
    );
    const there = new Set(rows.map(({ table }) => table));
    findings.addAll(`version(s) of ${name} whose table is gone`, [...allowed].filter((table) => !there.has(table)));
  }
}

async function auditMultipartUploads({ subject }: Evidence, findings: Findings): Promise<void> {
  const { s3, names } = subject.access;
  const { name, dataset } = subject.spec;
  for (const Bucket of Object.values(names.buckets)) {
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
    const mine = Uploads.filter(({ Key = '' }) => [`${name}/`, `${dataset}/`, `cycles/${name}/`].some((prefix) => Key.startsWith(prefix)));
    findings.addAll(`open multipart upload(s) in ${Bucket}`, mine.map(({ Key = '' }) => Key));
  }
}

/** A transaction of the product that does nothing now and did nothing a second ago holds its locks for nobody. */
async function auditTransactions({ subject }: Evidence, findings: Findings): Promise<void> {
  if (subject.workers.running) return;
  const idle = async () => {
    const { rows } = await subject.access.pool.query<{ who: string }>(
      `select format('pid %s since %s', pid, xact_start) as who from pg_stat_activity
        where usename = 'meridian' and datname = current_database() and state like 'idle in transaction%'`,
    );
    return rows.map(({ who }) => who);
  };
  const before = await idle();
  if (before.length === 0) return;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const now = new Set(await idle());
  findings.addAll('transaction(s) of the worker left open', before.filter((who) => now.has(who)));
}

async function countGatePartitions({ subject }: Evidence): Promise<number> {
  const { glue, names } = subject.access;
  const { Partitions = [] } = await glue.send(new GetPartitionsCommand({ DatabaseName: names.glueDatabase, TableName: `${subject.spec.dataset}_candidate` }));
  return Partitions.length;
}
