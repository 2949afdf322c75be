import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../stack-error';
import { cacheFolder, fillFolder, fingerprint, sha256Of } from './cache';
import { run } from './command';
import { maven, MAVEN_DEPENDENCY } from './maven';
import type { Tool } from './tool';

interface Jar {
  readonly groupId: string;
  readonly artifactId: string;
  readonly version: string;
  readonly sha256: string;
}

/** What AWS's Spark and Glue images carry, and ours adds: the same pins as `jobs/Dockerfile`. */
export const JARS: readonly Jar[] = [
  { groupId: 'org.apache.sedona', artifactId: 'sedona-spark-shaded-3.5_2.12', version: '1.8.1', sha256: 'a83cf61d778b3a6908e2948d2aec216caabd02c474a4d9653b049903fec965d7' },
  { groupId: 'org.datasyslab', artifactId: 'geotools-wrapper', version: '1.8.1-33.1', sha256: 'd6b4cef01a171fd8278c224e5f0110fdcbb344b2db04dbebba2e5f4b0ed7bad5' },
  { groupId: 'org.apache.hadoop', artifactId: 'hadoop-aws', version: '3.3.4', sha256: '53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a' },
  { groupId: 'com.amazonaws', artifactId: 'aws-java-sdk-bundle', version: '1.12.262', sha256: '873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5' },
  { groupId: 'com.amazon.deequ', artifactId: 'deequ', version: '2.1.0-spark-3.5', sha256: 'ab902814dec56dc39ff16d1c5c80e7101a5dff8c1aa380fdafce522da1cd1546' },
  { groupId: 'software.amazon.glue', artifactId: 'dqdl', version: '1.0.0', sha256: '8382887bd34e23a426e3824520e69ba59e9666f567a4f7bad2a6b40348cdaa6e' },
];

const DOWNLOAD_LIMIT_MS = 15 * 60_000;

/** Sedona, Hadoop's S3 client, Deequ and DQDL, by Maven. */
export const jars: Tool = {
  name: 'jars',
  title: 'Sedona, S3A and Deequ jars (by Maven)',
  downloadMb: 400,
  diskMb: 800,
  seconds: 60,
  after: ['java'], // Maven runs on it

  async locate() {
    const complete = JARS.every((jar) => existsSync(join(folder(), fileOf(jar))));
    return complete ? { version: JARS.map((jar) => jar.version).join(', '), path: folder(), env: {} } : undefined;
  },

  async install(progress) {
    const mvn = await maven(progress);
    // Maven keeps what it has fetched in its own repository: an interrupted set-up goes on with the next jar.
    await fillFolder(folder(), async (partial) => {
      for (const [index, jar] of JARS.entries()) {
        progress.advance('jars', index, JARS.length, 'jars');
        const coordinates = `${jar.groupId}:${jar.artifactId}:${jar.version}`;
        await run(mvn, ['-q', '-B', `${MAVEN_DEPENDENCY}:copy`, `-Dartifact=${coordinates}`, `-DoutputDirectory=${partial}`], { cwd: partial, timeoutMs: DOWNLOAD_LIMIT_MS });
        const found = sha256Of(join(partial, fileOf(jar)));
        if (found !== jar.sha256) {
          throw new StackError(`${coordinates} has SHA-256 ${found}, expected ${jar.sha256}: delete it from Maven's local repository and run this again`);
        }
      }
      progress.advance('jars', JARS.length, JARS.length, 'jars');
    });
    return { version: JARS.map((jar) => jar.version).join(', '), path: folder(), env: {} };
  },
};

function fileOf(jar: Jar): string {
  return `${jar.artifactId}-${jar.version}.jar`;
}

function folder(): string {
  return join(cacheFolder(), `jars-${fingerprint(...JARS.map((jar) => jar.sha256))}`);
}
