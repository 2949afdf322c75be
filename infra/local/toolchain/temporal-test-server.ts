import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { StackError } from '../stack-error';
import { cacheFolder, fillFolder, sha256Of } from './cache';
import { isExecutable, run } from './command';
import { maven, MAVEN_DEPENDENCY } from './maven';
import type { Tool } from './tool';

const VERSION = '1.38.0';
/** SHA-256 over name and SHA-256 of all its jars, 39 with what it depends on. */
const CONTENT = '9290d896096b8806fab5d871001ae23b738b67467c75f0d2f56a73f1cea01f22';
const DOWNLOAD_LIMIT_MS = 10 * 60_000;

/** Temporal's Java test server, whose clock skips ahead while workflows sleep. Its `path` is an executable that `@temporalio/testing` takes. */
export const temporalTestServer: Tool = {
  name: 'temporal-test-server',
  title: `Temporal's time-skipping test server ${VERSION}`,
  downloadMb: 38,
  diskMb: 40,
  seconds: 30,
  after: ['java'], // Maven runs on it

  async locate() {
    const path = executable();
    return isExecutable(path) ? { version: VERSION, path, env: {} } : undefined;
  },

  async install(progress) {
    const mvn = await maven(progress);
    await fillFolder(folder(), async (partial) => {
      writeFileSync(join(partial, 'pom.xml'), POM);
      progress.note(`Fetching ${temporalTestServer.title}`);
      await run(mvn, ['-q', '-B', `${MAVEN_DEPENDENCY}:copy-dependencies`, '-DoutputDirectory=lib', '-DincludeScope=runtime'], {
        cwd: partial,
        timeoutMs: DOWNLOAD_LIMIT_MS,
      });
      const found = contentOf(join(partial, 'lib'));
      if (found !== CONTENT) {
        throw new StackError(`io.temporal:temporal-test-server:${VERSION} and its dependencies have SHA-256 ${found}, expected ${CONTENT}: delete io/temporal from Maven's local repository and run this again`);
      }
      writeFileSync(join(partial, 'temporal-test-server'), LAUNCHER);
      chmodSync(join(partial, 'temporal-test-server'), 0o755);
    });
    return { version: VERSION, path: executable(), env: {} };
  },
};

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>meridian</groupId><artifactId>temporal-test-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency><groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId><version>${VERSION}</version></dependency></dependencies>
</project>
`;

/** The flags make it start before the test environment gives up waiting for it. */
const LAUNCHER = `#!/bin/sh
exec "\${JAVA_HOME:+$JAVA_HOME/bin/}java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$(dirname "$0")/lib/*" io.temporal.testserver.TestServer "$@"
`;

function contentOf(lib: string): string {
  const lines = readdirSync(lib)
    .sort()
    .map((name) => `${name} ${sha256Of(join(lib, name))}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

function folder(): string {
  return join(cacheFolder(), `temporal-test-server-${VERSION}`);
}

function executable(): string {
  return join(folder(), 'temporal-test-server');
}
