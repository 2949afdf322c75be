import type { PipelineSpec } from './pipeline-spec';

/**
 * What Temporal's Web UI shows of an execution beside its summary, as Markdown: what the pipeline is, and the commands that tell more.
 * @param intervalEnd - RFC 3339; absent where a Schedule's tick decides it
 */
export function cycleDetails({ name, description, dataset, relations }: PipelineSpec, intervalEnd?: string): string {
  const commands =
    intervalEnd === undefined
      ? [`cycles list --pipeline ${name}`]
      : ['cycles show', 'logs', 'report'].map((command) => `${command} ${name} ${intervalEnd}`);
  return [
    `${description}. Dataset ${dataset}; serves ${relations.map(({ view }) => view).join(', ')}.`,
    '',
    ...commands.map((command) => `- \`npx meridian ${command}\``),
  ].join('\n');
}
