import type { InboxView } from './inbox';

/** An inbox as Markdown: the Web UI's "current details". */
export function inboxMarkdown({ pipeline, paused, pending, running, lastCycles, nextSweepAt, fault }: InboxView): string {
  const waits = `${pending.objectCount} objects, ${(pending.sizeBytes / 1024 ** 2).toFixed(1)} MiB${pending.oldestAt === undefined ? '' : `, the oldest since ${pending.oldestAt}`}`;
  const rows = [...(running === undefined ? [] : [{ ...running, outcome: 'runs' }]), ...lastCycles].map(
    (cycle) => `| ${cycle.workflowId} | ${cycle.outcome} | ${cycle.reason} | ${cycle.objectCount} | ${cycle.startedAt} |`,
  );
  return [
    `**${pipeline}** ${paused ? '**paused**, ' : ''}waiting: ${waits}`,
    `Next listing: ${nextSweepAt}`,
    ...(fault === undefined ? [] : [`Last fault: ${fault}`]),
    ...(rows.length === 0 ? [] : ['', '| cycle | outcome | started by | objects | at |', '|---|---|---|---|---|', ...rows]),
  ].join('\n');
}
