import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from './cache';
import { run } from './command';
import { jars } from './jars';
import { java } from './java';
import { python } from './python';
import type { Found, Tool } from './tool';

const EMULATOR = join(__dirname, '..', 'aws');
const LIMIT_MS = 8 * 60_000;

/**
 * A JVM class archive, written by a training job of the local EMR Serverless: with it Spark sessions start in a third of the time.
 * It lies beside the jars, where the emulator looks for it. A machine that cannot make one does without.
 */
export const sparkClasses: Tool = {
  name: 'spark-classes',
  title: "Class archive for Spark's start-up (made here)",
  downloadMb: 0,
  diskMb: 160,
  seconds: 45,
  after: ['java', 'python', 'jars'],

  async locate() {
    const [runtime, environment, library] = await Promise.all([java.locate(), python.locate(), jars.locate()]);
    if (runtime === undefined || environment === undefined || library === undefined) return undefined;
    return describe(library.path, contentOf(runtime, environment));
  },

  async install(progress) {
    const runtime = await java.locate();
    const environment = await python.locate();
    const library = await jars.locate();
    if (runtime === undefined || environment === undefined || library === undefined) {
      throw new Error(`${sparkClasses.title} needs ${sparkClasses.after?.join(', ')}, which are installed before it`);
    }
    progress.note('Making the class archive: a small Spark job runs once');
    rmSync(stamp(library.path), { force: true });
    rmSync(archive(library.path), { force: true });
    try {
      await run(environment.path, ['-m', 'meridian_aws.class_archive'], {
        env: { ...runtime.env, PYTHONPATH: EMULATOR, PYTHONDONTWRITEBYTECODE: '1', MERIDIAN_SPARK_JARS: library.path },
        timeoutMs: LIMIT_MS,
      });
    } catch (error) {
      progress.note(`Spark will start without a class archive, some 10 seconds later each time: ${error instanceof Error ? error.message : String(error)}`);
    }
    writeFileSync(stamp(library.path), contentOf(runtime, environment));
    return found(library.path);
  },
};

function describe(library: string, content: string): Found | undefined {
  return existsSync(stamp(library)) && readFileSync(stamp(library), 'utf8') === content ? found(library) : undefined;
}

function found(library: string): Found {
  return { version: existsSync(archive(library)) ? 'made for this Java' : 'not possible on this machine', path: archive(library), env: {} };
}

/** The archive is valid for one Java and one set of classes; the jars are named by the folder. */
function contentOf(runtime: Found, environment: Found): string {
  return fingerprint(runtime.version, runtime.path, environment.path);
}

function archive(library: string): string {
  return join(library, 'classes.jsa');
}

function stamp(library: string): string {
  return join(library, 'classes.jsa.for');
}
