import { fill, line, object, type PoisonEntry, type StoredValues, type Verdict } from './entry';

const place = (name: string, longitude: string, latitude: string, verdict: Verdict, values?: StoredValues) =>
  line(`place: ${name}`, `{"timestamp":$t,"longitude":${longitude},"latitude":${latitude}}`, verdict, values);

/** Missing or null, then not a finite number, then out of range (createRecordTable); ±180 and ±90 are in range. */
export const coordinates: readonly PoisonEntry[] = [
  place('both null', 'null', 'null', 'null_coordinate'),
  place('longitude null', 'null', '$y', 'null_coordinate'),
  place('latitude null', '$x', 'null', 'null_coordinate'),
  line('place: longitude missing', '{"timestamp":$t,"latitude":$y}', 'null_coordinate'),
  line('place: latitude missing', '{"timestamp":$t,"longitude":$x}', 'null_coordinate'),
  line('place: a geometry of GeoJSON in its stead', '{"timestamp":$t,"geometry":{"type":"Point","coordinates":[$x,$y]}}', 'null_coordinate'),
  place('null as text', '"null"', '$y', 'bad_coordinate'),
  place('an empty text', '""', '$y', 'bad_coordinate'),
  place('a text of a space', '" "', '$y', 'bad_coordinate'),
  place('numbers as text', '"$x"', '"$y"', 'bad_coordinate'),
  place('a text with a decimal comma', '"8,5"', '$y', 'bad_coordinate'),
  place('degrees and minutes as text', '"8°30\'E"', '"47°15\'N"', 'bad_coordinate'),
  place('a hemisphere in the text', '"8.5E"', '$y', 'bad_coordinate'),
  place('well-known text', '"POINT(8.5 47)"', '$y', 'bad_coordinate'),
  place('SQL', '"0); drop table record; --"', '$y', 'bad_coordinate'),
  place('an array', '[$x]', '$y', 'bad_coordinate'),
  place('an object', '$x', '{"deg":47}', 'bad_coordinate'),
  place('true and false', 'true', 'false', 'bad_coordinate'),
  place('NaN', 'NaN', 'NaN', 'bad_coordinate'),
  place('an infinity', '$x', 'Infinity', 'bad_coordinate'),
  place('a number without end', '1e309', '$y', 'bad_coordinate'),
  place('null beats a text', 'null', '"x"', 'null_coordinate'),
  place('a text beats the range', '"x"', '91', 'bad_coordinate'),
  line('place: a bad time beats a missing place', '{"timestamp":"x"}', 'bad_timestamp'),
  line('place: a missing place beats a time too late', '{"timestamp":1}', 'null_coordinate'),
  line('place: a bad place beats a time too late', '{"timestamp":1,"longitude":"x","latitude":$y}', 'bad_coordinate'),
  line('place: the range beats a time too late', '{"timestamp":1,"longitude":181,"latitude":$y}', 'coordinate_out_of_range'),
  line('place: the range beats a time in the future', '{"timestamp":253402300799999,"longitude":8,"latitude":-91}', 'coordinate_out_of_range'),
  place('the eastern edge', '180', '$y', 'stored', { longitude: 180 }),
  place('the western edge', '-180', '$y', 'stored', { longitude: -180 }),
  place('the edge with a fraction of zero', '180.0', '$y', 'stored', { longitude: 180 }),
  place('the next double beyond the eastern edge', '180.00000000000003', '$y', 'coordinate_out_of_range'),
  place('the next double beyond the western edge', '-180.00000000000003', '$y', 'coordinate_out_of_range'),
  place('the north pole', '$x', '90', 'stored', { latitude: 90 }),
  place('the south pole', '$x', '-90', 'stored', { latitude: -90 }),
  place('the next double beyond the north pole', '$x', '90.00000000000001', 'coordinate_out_of_range'),
  place('the next double beyond the south pole', '$x', '-90.00000000000001', 'coordinate_out_of_range'),
  place('a full turn', '360', '$y', 'coordinate_out_of_range'),
  place('longitudes from 0 to 360', '188.5', '$y', 'coordinate_out_of_range'),
  place('the sentinel 999', '999', '999', 'coordinate_out_of_range'),
  place('the sentinel -9999', '-9999', '-9999', 'coordinate_out_of_range'),
  place('the largest of 32 bits', '2147483647', '$y', 'coordinate_out_of_range'),
  place('degrees in ten-millionths', '85000000', '472500000', 'coordinate_out_of_range'),
  place('degrees and minutes in one number', '830.5', '4715.5', 'coordinate_out_of_range'),
  place('metres of Web Mercator', '946215.7', '5978448.0', 'coordinate_out_of_range'),
  place('metres of UTM', '465005.34', '5249465.1', 'coordinate_out_of_range'),
  place('swapped, and the latitude says so', '35.6', '139.7', 'coordinate_out_of_range'),
  place('swapped, and nothing says so', '47.25', '8.5', 'stored', { longitude: 47.25, latitude: 8.5 }),
  place('the island of null', '0', '0', 'stored', { longitude: 0, latitude: 0 }),
  place('an exponent within the range', '1.8e2', '9e1', 'stored', { longitude: 180, latitude: 90 }),
  place('more digits than a double has', '8.54321098765432109876543210', '$y', 'stored', { longitude: 8.54321098765432109876543210 }),
  // Equal values are equal keys (fingerprintSql), so minus zero is a repetition of zero.
  object(
    'place: zero and minus zero',
    sameTime('{"timestamp":$t,"longitude":0,"latitude":0}', '{"timestamp":$t,"longitude":-0.0,"latitude":-0}'),
    { read: 2, stored: 1, duplicates: 1, quarantined: {}, lines: [] },
  ),
  object(
    'place: one longitude in three spellings',
    sameTime(
      '{"timestamp":$t,"longitude":8.5,"latitude":1}',
      '{"timestamp":$t,"longitude":85e-1,"latitude":1.0}',
      '{"timestamp":$t,"longitude":8.50000000000000000001,"latitude":1}',
    ),
    { read: 3, stored: 1, duplicates: 2, quarantined: {}, lines: [] },
  ),
  object(
    'place: neighbouring doubles are two places',
    sameTime('{"timestamp":$t,"longitude":8.5,"latitude":1}', '{"timestamp":$t,"longitude":8.500000000000002,"latitude":1}'),
    { read: 2, stored: 2, quarantined: {}, lines: [] },
  ),
  object(
    'place: the edges of the antimeridian are two places',
    sameTime('{"timestamp":$t,"longitude":180,"latitude":1}', '{"timestamp":$t,"longitude":-180,"latitude":1}'),
    { read: 2, stored: 2, quarantined: {}, lines: [] },
  ),
];

function sameTime(...templates: readonly string[]): string {
  return fill(templates.join('\n'));
}
