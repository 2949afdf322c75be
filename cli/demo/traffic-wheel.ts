import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readPositions, type RecordedPosition } from './positions-file';
import { zipMember } from './zip-member';

const REQUIREMENT = 'traffic==2.13';
const FILE = 'traffic-2.13-py3-none-any.whl';
const SHA256 = '5e0cd61d931d03103294361542188f08f959a55e862d5cba80ab61291021e66c';
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;
const SAMPLES = 'traffic/data/samples';

/** What the demo takes from the package: aircraft positions that volunteers' receivers recorded, and airspaces. */
export interface TrafficSamples {
  /** One day over Switzerland, 2018-08-01. */
  readonly switzerland: readonly RecordedPosition[];
  /** On and around the ground of Zürich airport, several days up to 2019-11-29. */
  readonly zurichAirport: readonly RecordedPosition[];
  /** 2020-09-14, with null positions. */
  readonly aircraftCarrier: readonly RecordedPosition[];
  /** GeoJSON FeatureCollection of 58 European airspaces. */
  readonly airspaces: unknown;
}

/**
 * Fetches the wheel into the cache unless it is there whole, and reads it. Safe to run twice by the pinned SHA-256; an
 * interrupted download leaves nothing that is taken for the wheel.
 * @param python - an interpreter with pip
 */
export async function trafficSamples(options: { readonly cache: string; readonly python: string; readonly note: (message: string) => void }): Promise<TrafficSamples> {
  const wheel = await fetchWheel(options);
  const sample = (path: string) => readPositions(zipMember(wheel, `${SAMPLES}/${path}`, FILE), path);
  return {
    switzerland: sample('collections/switzerland.json.gz'),
    zurichAirport: sample('onground/zurich_airport.json.gz'),
    aircraftCarrier: sample('military/aircraft_carrier.json.gz'),
    airspaces: JSON.parse(zipMember(wheel, 'traffic/data/eurocontrol/eurofirs.json', FILE).toString('utf8')),
  };
}

async function fetchWheel({ cache, python, note }: { readonly cache: string; readonly python: string; readonly note: (message: string) => void }): Promise<Buffer> {
  const folder = join(cache, 'input');
  const path = join(folder, FILE);
  if (existsSync(path)) {
    const kept = await readFile(path);
    if (sha256(kept) === SHA256) return kept;
    note(`${path} is not the pinned file: fetched anew`);
  }
  note(`Fetching the demo's input, ${REQUIREMENT} (28 MB)`);
  const partial = join(folder, `.partial-${randomUUID()}`);
  await mkdir(partial, { recursive: true });
  try {
    await promisify(execFile)(
      python,
      ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:', '--dest', partial, REQUIREMENT],
      { timeout: DOWNLOAD_TIMEOUT_MS },
    ).catch((error: unknown) => {
      throw new Error(`Cannot fetch ${REQUIREMENT} with ${python} -m pip: ${error instanceof Error ? error.message : String(error)}. Run the same command again: what is there already is kept`);
    });
    const fetched = await readFile(join(partial, FILE));
    if (sha256(fetched) !== SHA256) throw new Error(`${REQUIREMENT}: expected a wheel with SHA-256 ${SHA256}, found ${sha256(fetched)}: not used`);
    await rename(join(partial, FILE), path);
    return fetched;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
