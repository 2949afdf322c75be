import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The template of the stack that `make` puts into the app; the folder that the CDK writes it to does not stay. */
export function synthesised(make: (app: App) => Stack): Template {
  const outdir = mkdtempSync(join(tmpdir(), 'meridian-synth-'));
  try {
    return Template.fromStack(make(new App({ outdir, analyticsReporting: false })));
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
