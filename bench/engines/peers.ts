import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, fillFolder, fingerprint, sha256Of } from '../../infra/local/toolchain/cache';
import { run } from '../../infra/local/toolchain/command';
import { maven, MAVEN_DEPENDENCY } from '../../infra/local/toolchain/maven';
import { createOutput } from '../../cli/output';
import { required } from '../../test/support/temporal';

const JDBC = { coordinates: 'org.postgresql:postgresql:42.7.7', file: 'postgresql-42.7.7.jar', sha256: '157963d60ae66d607e09466e8c0cdf8087e9cb20d0159899ffca96bca2528460' };
const SEDONA_DB = 'sedonadb==0.5.0';
const LIMIT_MS = 10 * 60_000;

/** What only the benchmarks compare with: PostgreSQL's JDBC driver, and SedonaDB's Python package. */
export interface Peers {
  readonly jdbcJar: string;
  /** For `PYTHONPATH`. */
  readonly sedonaDb: string;
}

/** Fetches them once, by Maven and pip, into the cache that the toolchain is in. @throws Error when the jar is another */
export async function peers(): Promise<Peers> {
  const folder = join(cacheFolder(), `bench-peers-${fingerprint(JDBC.sha256, SEDONA_DB)}`);
  if (!existsSync(folder)) await fillFolder(folder, fetchPeers);
  return { jdbcJar: join(folder, JDBC.file), sedonaDb: join(folder, 'python') };
}

async function fetchPeers(partial: string): Promise<void> {
  const mvn = await maven(createOutput({}));
  await run(mvn, ['-q', '-B', `${MAVEN_DEPENDENCY}:copy`, `-Dartifact=${JDBC.coordinates}`, `-DoutputDirectory=${partial}`], { cwd: partial, timeoutMs: LIMIT_MS });
  const found = sha256Of(join(partial, JDBC.file));
  if (found !== JDBC.sha256) throw new Error(`${JDBC.coordinates} has SHA-256 ${found}, expected ${JDBC.sha256}: delete it from Maven's local repository and run this again`);
  await run(required('MERIDIAN_PYTHON'), ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:', '--target', join(partial, 'python'), SEDONA_DB], { cwd: partial, timeoutMs: LIMIT_MS });
}
