import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { RawLimits } from '../../../activities/ledger/line-splitter';
import type { FieldSpec } from '../../../domain/pipeline-spec';
import { python } from '../../../infra/local/toolchain/python';

const JOBS = resolve(__dirname, '..', '..', '..', 'jobs');
const SCRIPT = `
import json, sys
from pathlib import Path
from meridian_jobs.dedup.json_lines import json_lines
from meridian_jobs.dedup.limits import RawLimits
from meridian_jobs.dedup.line_file import LineFile
from meridian_jobs.dedup.parquet_rows import parquet_rows
from meridian_jobs.dedup.task import Field

request = json.load(sys.stdin)
limits = RawLimits(**request["limits"])
fields = [Field(each["name"], each["source"], each["type"]) for each in request.get("fields", [])]

def lines_of(each):
    path = Path(each["path"])
    return json_lines(each["key"], path, limits) if not fields else parquet_rows(path, fields, limits, path.parent)

counts = []
for case in request["cases"]:
    file = LineFile(Path(case["to"]))
    counts.append([file.add(ordinal, lines_of(each)) for ordinal, each in enumerate(case["objects"])])
    file.close()
print(json.dumps(counts))
`;

/** Objects on disk that go into one line file, in their order. */
export interface LineCase {
  readonly objects: readonly { readonly key: string; readonly path: string }[];
  readonly to: string;
}

/** The interpreter of the jobs. */
export async function jobsPython(): Promise<string> {
  const path = process.env['MERIDIAN_PYTHON'] ?? (await python.locate())?.path;
  if (path === undefined) throw new Error('The jobs need their Python: run `npx meridian up` once, or set MERIDIAN_PYTHON');
  return path;
}

/**
 * Has the jobs' reader of lines write the files of many cases. @param fields - those of objects of Parquet; absent: they hold JSON lines
 * @returns the numbers of records of each case's objects
 */
export async function pythonLineFiles(cases: readonly LineCase[], { maxLineBytes, maxObjectBytes }: RawLimits, fields?: readonly FieldSpec[]): Promise<readonly (readonly number[])[]> {
  const input = JSON.stringify({ cases, fields, limits: { max_line_bytes: maxLineBytes, max_object_bytes: maxObjectBytes } });
  const output = execFileSync(await jobsPython(), ['-c', SCRIPT], { input, env: { ...process.env, PYTHONPATH: JOBS }, maxBuffer: 64 * 1024 ** 2 });
  return JSON.parse(output.toString()) as readonly (readonly number[])[];
}
