import { App, type AppProps, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Template as Deployable } from '../../infra/deploy/template';

/** The template of the stack that `make` puts into the app; the folder that the CDK writes it to does not stay. */
export function synthesised(make: (app: App) => Stack): Template {
  return inFolder((outdir) => Template.fromStack(make(new App({ outdir, analyticsReporting: false }))));
}

/** The template of every stack of an app, by the stack's name. */
export function synthesisedTemplates(make: (props: AppProps) => App): Readonly<Record<string, Deployable>> {
  return inFolder((outdir) => {
    const { stacks } = make({ outdir }).synth();
    return Object.fromEntries(stacks.map(({ stackName, template }) => [stackName, template as Deployable]));
  });
}

function inFolder<T>(body: (outdir: string) => T): T {
  const outdir = mkdtempSync(join(tmpdir(), 'meridian-synth-'));
  try {
    return body(outdir);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
