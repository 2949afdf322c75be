import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isExecutable, onPath, outputOf } from './command';
import { canInstallPackages, installPackages, missingTool } from './debian';
import type { Found, Tool } from './tool';

/** Spark 3.5 runs on 8, 11 and 17. @see Spark 3.5 documentation, "Downloading" */
const MAJOR = 17;
const PACKAGE = `openjdk-${MAJOR}-jre-headless`;
const JVMS = '/usr/lib/jvm';

/** A Java 17 runtime, for Spark and Deequ. */
export const java: Tool = {
  name: 'java',
  title: `Java ${MAJOR}`,
  downloadMb: 45,
  diskMb: 190,
  seconds: 30,

  async locate() {
    for (const path of candidates()) {
      const version = /version "((\d+)[^"]*)"/.exec((await outputOf(path, ['-version'])) ?? '');
      if (version !== null && Number(version[2]) === MAJOR) {
        const home = dirname(dirname(realpathSync(path)));
        return { version: version[1] ?? '', path, env: { JAVA_HOME: home } } satisfies Found;
      }
    }
    return undefined;
  },

  async install(progress) {
    if (!canInstallPackages()) throw missingTool(java.title, [PACKAGE]);
    await installPackages([PACKAGE], progress);
    const found = await java.locate();
    if (found === undefined) throw missingTool(java.title, [PACKAGE]);
    return found;
  },
};

function candidates(): readonly string[] {
  const homes = [process.env['JAVA_HOME'], ...(existsSync(JVMS) ? readdirSync(JVMS).map((name) => join(JVMS, name)) : [])];
  const inHomes = homes.filter((home) => home !== undefined).map((home) => join(home, 'bin', 'java'));
  const first = onPath('java');
  return [...(first === undefined ? [] : [first]), ...inHomes].filter(isExecutable);
}
