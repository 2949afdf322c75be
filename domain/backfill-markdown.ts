import { type BackfillProgress, notLoadedCount } from './backfill-progress';
import { toRfc3339 } from './data-interval';

const ROWS = 10;

/** A backfill's state as Markdown: the Web UI's "current details" of a running one. */
export function backfillMarkdown(progress: BackfillProgress): string {
  const { pipeline, from, to, state, why, total, outcomes, left, settledMeanwhile, running, notLoaded, needDecision, estimatedEndMs } = progress;
  const failures = notLoadedCount(outcomes);
  return [
    `**${pipeline}** backfill of [${from}, ${to})${progress.all ? ', all intervals' : ''}: **${state}**${why === undefined ? '' : `: ${why}`}`,
    '',
    '| to run | promoted | empty | not loaded | settled meanwhile | left |',
    '|---|---|---|---|---|---|',
    `| ${total} | ${outcomes.promoted} | ${outcomes.empty} | ${failures} | ${settledMeanwhile} | ${left} |`,
    '',
    ...running.map((each) => `▶ until ${each.intervalEnd}, since ${at(each.sinceMs)}${each.another ? ', run by somebody else: waited for' : ''} (\`${each.workflowId}\`)`),
    ...(estimatedEndMs === undefined ? [] : [`estimated end: ${at(estimatedEndMs)}`]),
    ...(failures === 0 ? [] : ['', '| not loaded | outcome | why |', '|---|---|---|', ...notLoaded.slice(0, ROWS).map(notLoadedRow)]),
    ...(needDecision.count === 0 ? [] : ['', `${needDecision.count} rejected, each for \`rerun\` or \`discard\`: ${needDecision.first.slice(0, ROWS).join(', ')}`]),
  ].join('\n');
}

function notLoadedRow({ intervalEnd, outcome, reason = '' }: BackfillProgress['notLoaded'][number]): string {
  return `| ${intervalEnd} | ${outcome} | ${reason.replaceAll('|', '\\|').replaceAll('\n', ' ')} |`;
}

function at(epochMs: number): string {
  return toRfc3339(new Date(epochMs));
}
