import type { App } from 'aws-cdk-lib';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meridianApp } from '../../infra/aws/meridian-app';

const ENDING = '.template.json';

/** Every stack of `infra/aws/app.ts`, written as `npm run synth` does, to a folder that goes with `remove`. */
export interface MeridianTemplates {
  readonly app: App;
  /** The template of each stack, by its name. */
  readonly files: ReadonlyMap<string, string>;
  readonly remove: () => void;
}

export function meridianTemplates(): MeridianTemplates {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-synth-'));
  const app = meridianApp({ outdir: folder });
  app.synth();
  const names = readdirSync(folder).filter((file) => file.endsWith(ENDING));
  return {
    app,
    files: new Map(names.map((file) => [file.slice(0, -ENDING.length), join(folder, file)])),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
