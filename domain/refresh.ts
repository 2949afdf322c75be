import type { ColumnSpec, PipelineSpec, RelationSpec } from './pipeline-spec';
import { outputName } from './pipeline-spec';

/**
 * How a cycle builds what it serves, day by day: a day whose storage files, job, references and declaration are what the served
 * version's rows of that day were made from is copied from there, every other one is made by the job. See docs/decisions/0030.
 */
export interface RefreshPlan {
  /** Before the job was started, RFC 3339. */
  readonly plannedAt: string;
  /** What the job calls a relation → the column by whose UTC day its rows are told apart. */
  readonly columns: Readonly<Record<string, string>>;
  /** The job's code as the plan counts on it; absent of a dry run, which copies nothing. */
  readonly jobsUri?: string;
  /** Reference by name → its ETag when the plan was made. */
  readonly references: Readonly<Record<string, string>>;
  /** Days that the job is given, in order. */
  readonly rebuilt: readonly DayInput[];
  /** Days that are copied, in order. */
  readonly kept: readonly KeptDay[];
  /** The kept days as ranges that hold nothing else of the base, in order. */
  readonly ranges: readonly DayRange[];
  /** Storage files of the kept days. */
  readonly keptUris: readonly string[];
  /** Relation → the version that days are copied from; empty when none are. */
  readonly base: Readonly<Record<string, number>>;
  /** Why all days are rebuilt, where they are. */
  readonly why?: string;
}

/** What one day is made from. */
export interface DayInput {
  /** UTC, YYYY-MM-DD. */
  readonly day: string;
  /** Of all that the day's rows depend on. */
  readonly digest: string;
  /** Stored records of the day. */
  readonly inputRows: number;
}

export interface KeptDay extends DayInput {
  /** When its rows were made, RFC 3339. */
  readonly builtAt: string;
  /** By relation: its rows of that day, and the Parquet folders that the gate finds them in. */
  readonly relations: Readonly<Record<string, BuiltDay>>;
}

export interface BuiltDay {
  readonly rows: number;
  readonly parquet: readonly string[];
}

/** Both days belong to it. */
export interface DayRange {
  readonly first: string;
  readonly last: string;
}

/** The served version of a relation, with what its days were made from. */
export interface RefreshBase {
  readonly version: number;
  readonly days: ReadonlyMap<string, BuiltDay & { readonly digest: string; readonly builtAt: string }>;
}

/** What passes through Temporal of a plan. */
export interface RefreshSummary {
  /** Days that are served. */
  readonly days: number;
  /** Of these, made by the job. */
  readonly rebuilt: number;
  /** As in `RefreshPlan`. */
  readonly base: Readonly<Record<string, number>>;
  readonly why?: string;
  /** Of the kept days: stored records, and each relation's rows. */
  readonly kept: { readonly inputRows: number; readonly rows: Readonly<Record<string, number>> };
}

/** Jobs' output expires after so many days (infra/aws/lake-buckets.ts), */
export const REFINED_EXPIRES_DAYS = 30;
/** so a day is made anew before the gate could miss its files; no row lives longer without the job having been asked again. */
export const REBUILT_AFTER_DAYS = 20;
/** A copy is one transaction: small enough to be tried again. */
const ROWS_OF_A_COPY = 2_000_000;
const DAY_MS = 86_400_000;

/** True when every relation can be built day by day; a pipeline with one that cannot is built whole. */
export function isRefreshedByDay(spec: PipelineSpec): boolean {
  return spec.relations.length > 0 && spec.relations.every((relation) => relation.refreshBy !== undefined);
}

/** `columns` of a plan. */
export function refreshColumns(spec: PipelineSpec): Readonly<Record<string, string>> {
  return Object.fromEntries(spec.relations.flatMap((relation) => (relation.refreshBy === undefined ? [] : [[outputName(relation), relation.refreshBy]])));
}

/** The column that a relation's days are told apart by. */
export function refreshColumn(relation: RelationSpec): ColumnSpec | undefined {
  return relation.columns.find((column) => column.name === relation.refreshBy);
}

/** Which days are made anew, and which are copied from where. */
export type PlannedDays = Pick<RefreshPlan, 'rebuilt' | 'kept' | 'ranges' | 'base' | 'why'>;

/** Copies nothing. */
export function rebuildAll(days: readonly DayInput[]): PlannedDays {
  return { rebuilt: days, kept: [], ranges: [], base: {} };
}

/**
 * Decides which days are copied. In doubt all are rebuilt: without a base, with one whose days are not on record, when nothing is the
 * same any more, and when everything is, since then somebody wants the rows made again.
 * @param bases - by relation, of every relation of the pipeline that serves a version
 * @param now - RFC 3339
 */
export function planDays(
  relations: readonly string[],
  days: readonly DayInput[],
  bases: ReadonlyMap<string, RefreshBase>,
  now: string,
): PlannedDays {
  const whole = (why: string) => ({ ...rebuildAll(days), why });
  for (const relation of relations) {
    const base = bases.get(relation);
    if (base === undefined) return whole(`no version of "${relation}" is served`);
    if (base.days.size === 0) return whole(`version ${base.version} of "${relation}" was not built day by day`);
  }
  const kept = days.flatMap((day): readonly KeptDay[] => {
    const built = relations.map((relation) => bases.get(relation)?.days.get(day.day));
    const isSame = built.every((each) => each?.digest === day.digest && Date.parse(now) - Date.parse(each.builtAt) < REBUILT_AFTER_DAYS * DAY_MS);
    if (!isSame) return [];
    const found = built.flatMap((each) => each ?? []);
    return [
      {
        ...day,
        builtAt: found.map((each) => each.builtAt).sort()[0] ?? now,
        relations: Object.fromEntries(relations.map((relation, at) => [relation, { rows: found[at]?.rows ?? 0, parquet: found[at]?.parquet ?? [] }])),
      },
    ];
  });
  if (kept.length === 0) return whole('no day is made from what the served version was made from');
  if (kept.length === days.length) return whole('no served day has changed');
  const isKept = new Set(kept.map(({ day }) => day));
  return {
    rebuilt: days.filter(({ day }) => !isKept.has(day)),
    kept,
    ranges: rangesOf(kept, new Set([...bases.values()].flatMap((base) => [...base.days.keys()]))),
    base: Object.fromEntries(relations.map((relation) => [relation, bases.get(relation)?.version ?? 0])),
  };
}

/** Neighbours are copied together unless the base has a day between them that is not kept. */
function rangesOf(kept: readonly KeptDay[], baseDays: ReadonlySet<string>): readonly DayRange[] {
  const keptDays = new Map(kept.map((each) => [each.day, Math.max(...Object.values(each.relations).map(({ rows }) => rows))]));
  const ranges: { first: string; last: string; rows: number; open: boolean }[] = [];
  for (const day of [...new Set([...baseDays, ...keptDays.keys()])].sort()) {
    const rows = keptDays.get(day);
    const current = ranges.at(-1);
    if (rows === undefined) {
      if (current !== undefined) current.open = false;
    } else if (current === undefined || !current.open || current.rows + rows > ROWS_OF_A_COPY) {
      ranges.push({ first: day, last: day, rows, open: true });
    } else {
      current.last = day;
      current.rows += rows;
    }
  }
  return ranges.map(({ first, last }) => ({ first, last }));
}

export function summaryOf(plan: RefreshPlan, relations: readonly string[]): RefreshSummary {
  return {
    days: plan.rebuilt.length + plan.kept.length,
    rebuilt: plan.rebuilt.length,
    base: plan.base,
    ...(plan.why === undefined ? {} : { why: plan.why }),
    kept: {
      inputRows: plan.kept.reduce((sum, day) => sum + day.inputRows, 0),
      rows: Object.fromEntries(relations.map((relation) => [relation, plan.kept.reduce((sum, day) => sum + (day.relations[relation]?.rows ?? 0), 0)])),
    },
  };
}

/** "1 of 30 days rebuilt, the others from positions_v5, zone_activity_v5". */
export function refreshSentence({ days, rebuilt, base, why }: Pick<RefreshSummary, 'days' | 'rebuilt' | 'base' | 'why'>): string {
  const tables = Object.entries(base).map(([relation, version]) => `${relation}_v${version}`);
  if (tables.length > 0) return `${rebuilt} of ${days} days rebuilt, the others from ${tables.join(', ')}`;
  return `${days === 1 ? 'the one day' : `all ${days} days`} rebuilt${why === undefined ? '' : `: ${why}`}`;
}

/** Rows of one range that a relation's candidate takes over from its base. */
export interface DayCopy extends DayRange {
  readonly rows: number;
}

/** What a relation's candidate takes over, copy by copy. */
export function copiesOf(plan: RefreshPlan | undefined, relation: string): readonly DayCopy[] {
  return (plan?.ranges ?? []).map(({ first, last }) => ({
    first,
    last,
    rows: (plan?.kept ?? []).reduce((sum, day) => (day.day < first || day.day > last ? sum : sum + (day.relations[relation]?.rows ?? 0)), 0),
  }));
}

/** The day after. @param day - YYYY-MM-DD */
export function nextDay(day: string): string {
  return new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10);
}
