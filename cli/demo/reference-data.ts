import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { toWkb, type PolygonGeometry } from './wkb';

/** A named area of the reference data. */
export interface NamedArea {
  readonly name: string;
  readonly geometry: PolygonGeometry;
}

/** Flight information regions by name, from the package's GeoJSON. */
export function airspacesOf(collection: unknown): readonly NamedArea[] {
  const { features } = collection as { readonly features: readonly { readonly properties: { readonly NAME: string }; readonly geometry: PolygonGeometry }[] };
  return features.map(({ properties, geometry }) => ({ name: properties.NAME, geometry }));
}

/** Countries by name, from Natural Earth at 1:10 million. */
export function countryAreas(): readonly NamedArea[] {
  // Read, not imported: the compiler would infer a type for 3.6 MB of coordinates.
  const text = readFileSync(require.resolve('world-atlas/countries-10m.json'), 'utf8');
  const topology = JSON.parse(text) as Topology<{ countries: GeometryCollection<{ name: string }> }>;
  return feature(topology, topology.objects.countries).features.map(({ properties, geometry }) => ({
    name: properties.name,
    geometry: geometry as unknown as PolygonGeometry,
  }));
}

/** Parquet with the columns that jobs read references by: `name` text, `geometry` WKB; sorted by name. */
export async function referenceParquet(areas: readonly NamedArea[]): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'meridian-reference-'));
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    await connection.run('create table area (name varchar not null, geometry blob not null)');
    const appender = await connection.createAppender('area');
    for (const { name, geometry } of areas) {
      appender.appendVarchar(name);
      appender.appendBlob(toWkb(geometry));
      appender.endRow();
    }
    appender.closeSync();
    const path = join(folder, 'areas.parquet');
    await connection.run(`copy (from area order by name) to '${path.replaceAll("'", "''")}' (format parquet, compression zstd)`);
    connection.closeSync();
    return await readFile(path);
  } finally {
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}
