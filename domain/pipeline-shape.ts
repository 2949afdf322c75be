/** Adds to `faults` where a value has not the shape that is expected at a path. */
type Check = (path: string, value: unknown, faults: string[]) => void;

const text: Check = (path, value, faults) => {
  if (typeof value !== 'string') faults.push(`${path}: expected a text, found ${shown(value)}`);
};
const number: Check = (path, value, faults) => {
  if (typeof value !== 'number') faults.push(`${path}: expected a number, found ${shown(value)}`);
};
const truth: Check = (path, value, faults) => {
  if (typeof value !== 'boolean') faults.push(`${path}: expected true or false, found ${shown(value)}`);
};

/** Members that a later version may add are not looked at. */
function members(checks: Readonly<Record<string, Check>>): Check {
  return (path, value, faults) => {
    if (!isObject(value)) return void faults.push(`${path || 'the declaration'}: expected an object, found ${shown(value)}`);
    for (const [name, check] of Object.entries(checks)) check(path === '' ? name : `${path}.${name}`, value[name], faults);
  };
}

function list(check: Check): Check {
  return (path, value, faults) => {
    if (!Array.isArray(value)) return void faults.push(`${path}: expected a list, found ${shown(value)}`);
    value.forEach((each, index) => check(`${path}[${index}]`, each, faults));
  };
}

function map(check: Check): Check {
  return (path, value, faults) => {
    if (!isObject(value)) return void faults.push(`${path}: expected an object, found ${shown(value)}`);
    for (const [name, each] of Object.entries(value)) check(`${path}.${name}`, each, faults);
  };
}

function optional(check: Check): Check {
  return (path, value, faults) => {
    if (value !== undefined) check(path, value, faults);
  };
}

const PIPELINE = members({
  name: text,
  description: text,
  dataset: text,
  intervalHours: number,
  schedule: optional(
    members({
      cron: optional(text),
      everyHours: optional(number),
      timeZone: optional(text),
      overlap: text,
      catchupWindowHours: number,
      jitterSeconds: optional(number),
      pauseOnFailure: optional(truth),
    }),
  ),
  ingest: optional(members({ mode: text, maxObjects: number, maxBytes: number, maxAgeSeconds: number, sweepMinutes: number })),
  raw: members({ prefix: text, format: text }),
  record: members({
    fields: list(members({ name: text, source: text, type: text })),
    eventTime: text,
    longitude: text,
    latitude: text,
  }),
  dedup: members({ key: list(text), latenessDays: number, marginDays: number, futureToleranceMinutes: number, chunkBytes: number, engine: optional(text) }),
  transform: members({ job: text, references: map(text), servedDays: optional(number), sparkConf: map(text), timeoutMinutes: number }),
  quality: members({
    relation: text,
    added: list(text),
    served: list(text),
    hold: optional(members({ deadlineMinutes: number, atDeadline: text, remindEveryMinutes: number })),
  }),
  relations: list(
    members({
      name: text,
      view: text,
      output: optional(text),
      columns: list(members({ name: text, type: text })),
      key: list(text),
      indexes: list(members({ columns: list(text), method: text })),
      refreshBy: optional(text),
      mayBeEmpty: truth,
    }),
  ),
  promotion: members({ keepVersions: number, snapshotWaitMinutes: number, swapWaitMinutes: number }),
});

/** Where a value that came from JSON has not the types of a `PipelineSpec`, each with its path; empty when all have. */
export function pipelineShapeFaults(value: unknown): readonly string[] {
  const faults: string[] = [];
  PIPELINE('', value, faults);
  return faults;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 200);
}
