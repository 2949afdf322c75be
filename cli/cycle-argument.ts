import { cycleWorkflowId } from '../domain/cycle';
import { isCanonicalInstant, toRfc3339 } from '../domain/data-interval';
import { pipelines } from '../pipelines';
import { UsageError } from './output';

/** A cycle as commands are told of it. */
export interface NamedCycle {
  readonly pipeline: string;
  readonly intervalEnd: string;
  readonly workflowId: string;
}

const WORKFLOW_ID = /^etl\/([a-z0-9-]+)-(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)$/;
/** As served rows carry it in `cycle_id`. */
const LINEAGE = /^([a-z0-9-]+)\/(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;

/** What `--help` calls the argument. */
export const CYCLE_ARGUMENT = '<cycle...>';
export const CYCLE_ARGUMENT_HELP = 'pipeline and interval end (RFC 3339), or the workflow id etl/<pipeline>-<interval end>, or a row\'s cycle_id';

/**
 * A cycle by its pipeline and interval end, its workflow id, or the `cycle_id` of a served row. Whether it ever ran is not looked at.
 * @throws UsageError with what was expected and found
 */
export function namedCycle(words: readonly string[]): NamedCycle {
  const [pipeline, end] = words.length === 1 ? parts(words[0] ?? '') : words.length === 2 ? words : [];
  if (pipeline === undefined || end === undefined) {
    throw new UsageError(`"${words.join(' ')}" names no cycle: expected ${CYCLE_ARGUMENT_HELP}`);
  }
  if (!pipelines.some((spec) => spec.name === pipeline)) {
    throw new UsageError(`No pipeline is named "${pipeline}": declared are ${pipelines.map((spec) => spec.name).join(', ')}`);
  }
  const intervalEnd = Number.isNaN(Date.parse(end)) ? '' : toRfc3339(new Date(end));
  if (!isCanonicalInstant(intervalEnd) || !/T.*(Z|[+-]\d{2}:\d{2})$/.test(end)) {
    throw new UsageError(`Interval end "${end}" is not an instant: expected RFC 3339 with a zone, such as 2018-08-02T00:00:00Z`);
  }
  return { pipeline, intervalEnd, workflowId: cycleWorkflowId(pipeline, intervalEnd) };
}

function parts(word: string): readonly (string | undefined)[] {
  const [, pipeline, end] = WORKFLOW_ID.exec(word) ?? [];
  if (end !== undefined) return [pipeline, end];
  const [, of, year, month, day, hour, minute, second] = LINEAGE.exec(word) ?? [];
  return of === undefined ? [] : [of, `${year}-${month}-${day}T${hour}:${minute}:${second}Z`];
}
