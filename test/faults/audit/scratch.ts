import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { AuditSubject, Findings } from './subject';

/** What the product declares as its segment cache's bound. */
const SEGMENT_CACHE_BYTES = 8 * 1024 ** 3;

/**
 * A worker that has ended leaves the bundles that it built, and its segment cache; one that was killed leaves the folders of the
 * chunks it was at, which the next workers remove after a day.
 * @returns scratch folders that are there
 */
export async function auditScratch(subject: AuditSubject, findings: Findings): Promise<number> {
  let folders = 0;
  for (const dir of subject.workers.workDirs) {
    const chunks = await readdir(join(dir, 'chunks')).catch(() => []);
    folders += chunks.length;
    if (subject.workers.running) continue;
    const killed = subject.workers.killed;
    findings.addAll(`scratch folder(s) in ${dir}`, killed ? [] : chunks);
    const files = await filesBelow(dir);
    const partial = files.filter((path) => path.endsWith('.partial') || !['chunks', 'segments', 'bundles'].includes(relative(dir, path).split('/')[0] ?? ''));
    findings.addAll(`temporary file(s) in ${dir}`, killed ? [] : partial.map((path) => relative(dir, path)));
    const cached = await Promise.all((await filesBelow(join(dir, 'segments'))).map(async (path) => (await stat(path)).size));
    const sizeBytes = cached.reduce((sum, size) => sum + size, 0);
    if (sizeBytes > SEGMENT_CACHE_BYTES) findings.add(`the segment cache in ${dir} has ${sizeBytes} bytes, its bound is ${SEGMENT_CACHE_BYTES}`);
  }
  return folders;
}

async function filesBelow(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
