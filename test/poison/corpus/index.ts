import { coordinates } from './coordinates';
import { encodings } from './encodings';
import type { PoisonEntry } from './entry';
import { gzips } from './gzips';
import { jsonMembers } from './json-members';
import { jsonShapes } from './json-shapes';
import { keys } from './keys';
import { numbers } from './numbers';
import { parquets } from './parquets';
import { schemaDrift } from './schema-drift';
import { separators } from './separators';
import { sizes } from './sizes';
import { timestamps } from './timestamps';

/** Bad inputs for a pipeline of JSON lines, by family. */
export const JSON_FAMILIES: Readonly<Record<string, readonly PoisonEntry[]>> = {
  'JSON shapes': jsonShapes,
  'names and nesting': jsonMembers,
  numbers,
  timestamps,
  coordinates,
  encodings,
  separators,
  gzips,
  sizes,
  'schema drift': schemaDrift,
  keys,
};

/** Bad inputs for a pipeline of Parquet. */
export const PARQUET_FAMILIES: Readonly<Record<string, readonly PoisonEntry[]>> = { parquets };
