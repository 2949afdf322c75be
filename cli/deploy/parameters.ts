import { readFileSync } from 'node:fs';
import type { ParameterValues } from '../../infra/deploy/parameter-values';
import { UsageError } from '../output';

/** The parameters of the file, and over them those of the command line. @throws UsageError that names what cannot be read */
export function givenParameters({
  parameter,
  parametersFile,
}: {
  readonly parameter: readonly string[];
  readonly parametersFile?: string;
}): ParameterValues {
  const fromFile = parametersFile === undefined ? {} : readParameters(parametersFile);
  const said = new Map<string, string>();
  for (const pair of parameter) {
    const [, name, value = ''] = /^([A-Za-z0-9]+)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined) throw new UsageError(`--parameter: expected name=value, found "${pair}"`);
    if (said.has(name)) throw new UsageError(`--parameter: ${name} is given twice, "${said.get(name)}" and "${value}"`);
    said.set(name, value);
  }
  return { ...fromFile, ...Object.fromEntries(said) };
}

function readParameters(path: string): ParameterValues {
  const expected = '{"name": "value"} or [{"ParameterKey": "name", "ParameterValue": "value"}]';
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(
      `--parameters-file: expected ${expected} in ${path}, found ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const entries = Array.isArray(content)
    ? (content as readonly Readonly<Record<string, unknown>>[]).map((each) => [each['ParameterKey'], each['ParameterValue']] as const)
    : Object.entries((typeof content === 'object' && content !== null ? content : { '': undefined }) as Readonly<Record<string, unknown>>);
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (typeof name !== 'string' || name === '' || !['string', 'number', 'boolean'].includes(typeof value)) {
        throw new UsageError(`--parameters-file: expected ${expected} in ${path}, found ${JSON.stringify({ [String(name)]: value })}`);
      }
      return [name, String(value)];
    }),
  );
}
