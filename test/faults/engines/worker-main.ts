/**
 * A worker of the product for the harness: `worker/main.ts` as it is, with the pipelines of the scenarios in place of the declared
 * ones. `MERIDIAN_FAULT_PIPELINES` names a JSON file with their list. Prints `ready` once it polls.
 */
import { readFileSync } from 'node:fs';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { readWorkerConfig } from '../../../worker/config';
import { runWorker } from '../../../worker/main';

const pipelines = JSON.parse(readFileSync(process.env['MERIDIAN_FAULT_PIPELINES'] ?? '', 'utf8')) as readonly PipelineSpec[];

runWorker(readWorkerConfig(process.env), () => process.stdout.write('ready\n'), pipelines).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
