/** The five fields of a cron expression, each as the numbers that match, ascending. Sunday is 0. */
export interface CronFields {
  readonly minute: readonly number[];
  readonly hour: readonly number[];
  readonly dayOfMonth: readonly number[];
  readonly month: readonly number[];
  readonly dayOfWeek: readonly number[];
}

interface Field {
  readonly name: keyof CronFields;
  readonly least: number;
  readonly most: number;
  /** Names of the values from `least` on, as cron spells them. */
  readonly names: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59, names: [] },
  { name: 'hour', least: 0, most: 23, names: [] },
  { name: 'dayOfMonth', least: 1, most: 31, names: [] },
  { name: 'month', least: 1, most: 12, names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] },
  { name: 'dayOfWeek', least: 0, most: 7, names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
];
/** A leap year has every date that there is. */
const LEAP_YEAR = 2024;

/**
 * Reads `minute hour day-of-month month day-of-week`: `*`, numbers, ranges, steps, lists, and three-letter names, as Temporal's server
 * does (a test compares them).
 * @returns the fields, or every fault at once
 */
export function parseCron(cron: string): { readonly fields: CronFields } | { readonly faults: readonly string[] } {
  const parts = cron.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return { faults: [`expected five fields (minute hour day-of-month month day-of-week), found ${JSON.stringify(cron)}`] };
  }
  const faults: string[] = [];
  const values = (at: number) => {
    const found = FIELDS[at] === undefined ? undefined : fieldValues(parts[at] ?? '', FIELDS[at]);
    if (typeof found === 'string') faults.push(found);
    return typeof found === 'object' ? found : [];
  };
  const [minute, hour, dayOfMonth, month, dayOfWeek] = [values(0), values(1), values(2), values(3), values(4)];
  // Cron's programs take either, Temporal's server both: a reader could not tell which day is meant.
  if (faults.length === 0 && dayOfMonth.length < 31 && dayOfWeek.length < 7) {
    faults.push(`expected "*" for the day of the month or for the day of the week, found "${parts[2]}" and "${parts[4]}"`);
  }
  if (faults.length > 0) return { faults };
  const fields = { minute, hour, dayOfMonth, month, dayOfWeek };
  return anyDate(fields) ? { fields } : { faults: [`${JSON.stringify(cron)} never fires: no year has such a date`] };
}

/** The fields of a declared expression. @throws RangeError with every fault of one that cannot be read */
export function cronFields(cron: string): CronFields {
  const read = parseCron(cron);
  if ('faults' in read) throw new RangeError(`Cron ${read.faults.join('; ')}`);
  return read.fields;
}

/** Whether a civil date, given as its midnight in UTC, is one of the expression's. */
export function matchesDate(fields: CronFields, date: Date): boolean {
  return (
    fields.dayOfMonth.includes(date.getUTCDate()) &&
    fields.month.includes(date.getUTCMonth() + 1) &&
    fields.dayOfWeek.includes(date.getUTCDay())
  );
}

function anyDate({ dayOfMonth, month }: CronFields): boolean {
  return month.some((each) => dayOfMonth.some((day) => new Date(Date.UTC(LEAP_YEAR, each - 1, day)).getUTCMonth() === each - 1));
}

/** The numbers that a field matches, or what is wrong with it. */
function fieldValues(text: string, field: Field): readonly number[] | string {
  const wrong = `${field.name}: expected "*", numbers from ${field.least} to ${field.most}${field.names.length > 0 ? `, ${field.names[0]} to ${field.names.at(-1)}` : ''}, ranges, steps or a list of them, found "${text}"`;
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [, first = '', last, step] = /^(\*|[0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (first === '' || (first === '*' && last !== undefined)) return wrong;
    const from = first === '*' ? field.least : numberOf(first, field);
    const open = first === '*' || (last === undefined && step !== undefined);
    // 7 is Sunday by another name: "*" must not count it again in its steps.
    const to = open ? field.most : numberOf(last ?? first, field);
    const by = step === undefined ? 1 : Number(step);
    if (from === undefined || to === undefined || to < from || by < 1) return wrong;
    for (let value = from; value <= to; value += by) found.add(field.name === 'dayOfWeek' ? value % 7 : value);
  }
  return [...found].sort((a, b) => a - b);
}

function numberOf(text: string, { least, most, names }: Field): number | undefined {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? least + named : /^\d{1,2}$/.test(text) ? Number(text) : undefined;
  return value === undefined || value < least || value > most ? undefined : value;
}
