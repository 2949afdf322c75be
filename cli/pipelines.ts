import { Command } from 'commander';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { validatePipeline } from '../domain/validate-pipeline';
import { pipelines } from '../pipelines';
import { createOutput, UsageError } from './output';

interface JsonOption {
  readonly json?: boolean;
}

export function pipelinesCommand(): Command {
  const command = new Command('pipelines').description('the declared pipelines');
  command
    .command('list')
    .description('name, interval, dataset and views of every pipeline')
    .option('--json', 'one JSON document on stdout')
    .action((options: JsonOption) => {
      const lines = pipelines.map(
        (spec) => `${spec.name}  every ${spec.intervalHours} h  ${spec.dataset} → ${spec.relations.map((relation) => relation.view).join(', ')}\n  ${spec.description}`,
      );
      createOutput(options).result(pipelines, lines.join('\n'));
    });
  command
    .command('check')
    .description('every fault of every declaration, or of one, at once')
    .argument('[pipeline]')
    .option('--json', 'one JSON document on stdout')
    .action((name: string | undefined, options: JsonOption) => {
      const checked = selected(name).map((spec) => ({ pipeline: spec.name, faults: validatePipeline(spec) }));
      const text = checked.flatMap(({ pipeline, faults }) =>
        faults.length === 0 ? [`✔ ${pipeline}`] : [`✘ ${pipeline}`, ...faults.map((fault) => `  ${fault}`)],
      );
      createOutput(options).result(checked, text.join('\n'));
      if (checked.some(({ faults }) => faults.length > 0)) process.exitCode = 1;
    });
  return command;
}

function selected(name: string | undefined): readonly PipelineSpec[] {
  return name === undefined ? pipelines : [declaredPipeline(name)];
}

/** A pipeline by its name. @throws UsageError with what is declared */
export function declaredPipeline(name: string): PipelineSpec {
  const spec = pipelines.find((each) => each.name === name);
  if (spec === undefined) throw new UsageError(`No pipeline is named "${name}": declared are ${pipelines.map((each) => each.name).join(', ')}`);
  return spec;
}
