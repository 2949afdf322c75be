/** A GeoJSON polygon's rings, or a multipolygon's polygons; longitude first, extra ordinates dropped. */
export type PolygonGeometry =
  | { readonly type: 'Polygon'; readonly coordinates: readonly Ring[] }
  | { readonly type: 'MultiPolygon'; readonly coordinates: readonly (readonly Ring[])[] };
type Ring = readonly (readonly number[])[];

const LITTLE_ENDIAN = 1;
const POLYGON = 3;
const MULTI_POLYGON = 6;

/** OGC well-known binary of a polygon or multipolygon, little-endian, two dimensions, without an SRID. */
export function toWkb(geometry: PolygonGeometry): Buffer {
  if (geometry.type === 'Polygon') return polygonWkb(geometry.coordinates);
  return Buffer.concat([header(MULTI_POLYGON, geometry.coordinates.length), ...geometry.coordinates.map(polygonWkb)]);
}

function polygonWkb(rings: readonly Ring[]): Buffer {
  return Buffer.concat([header(POLYGON, rings.length), ...rings.map(ringWkb)]);
}

function ringWkb(ring: Ring): Buffer {
  const bytes = Buffer.alloc(4 + ring.length * 16);
  bytes.writeUInt32LE(ring.length, 0);
  ring.forEach(([x, y], index) => {
    if (x === undefined || y === undefined) throw new RangeError(`Point ${index} of a ring has no two ordinates`);
    bytes.writeDoubleLE(x, 4 + index * 16);
    bytes.writeDoubleLE(y, 12 + index * 16);
  });
  return bytes;
}

function header(type: number, count: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt8(LITTLE_ENDIAN, 0);
  bytes.writeUInt32LE(type, 1);
  bytes.writeUInt32LE(count, 5);
  return bytes;
}
