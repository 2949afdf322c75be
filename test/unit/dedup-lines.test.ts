import fc from 'fast-check';
import { type Fault, LineSplitter } from '../../activities/ledger/line-splitter';

const LIMITS = { maxLineBytes: 64, maxObjectBytes: 1024 ** 2 };

interface Taken {
  readonly line: number;
  readonly text: string;
  readonly fault: Fault | undefined;
}

function split(blocks: readonly Buffer[], limits = LIMITS): { taken: Taken[]; records: number } {
  const taken: Taken[] = [];
  const splitter = new LineSplitter(limits, (line, text, fault) => taken.push({ line, text: text.toString(), fault }));
  for (const block of blocks) splitter.push(block);
  splitter.end();
  return { taken, records: splitter.records };
}

test('wherever the blocks are cut, the lines, their numbers and their verdicts are the same', () => {
  const line = fc.oneof(
    fc.string({ maxLength: 90 }).map((text) => Buffer.from(text.replaceAll('\n', ' '))),
    fc.uint8Array({ maxLength: 90 }).map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 11 : byte)))),
    fc.constantFrom('', ' ', '\t', '\r', '{"a":\r1}', '{"a":"\r"}').map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.boolean(), fc.array(fc.nat(400), { maxLength: 8 }), (texts, ended, cuts) => {
      const whole = Buffer.concat(texts.flatMap((text, index) => (index < texts.length - 1 || ended ? [text, Buffer.from('\n')] : [text])));
      const bounds = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
      const blocks = bounds.slice(1).map((to, index) => whole.subarray(bounds[index], to));

      expect(split(blocks)).toEqual(split([whole]));
    }),
  );
});

test('every line that is not blank is one record, taken once, with its number in the object (I1, X5)', () => {
  const line = fc.string({ maxLength: 40 }).map((text) => text.replace(/[\r\n\ufeff]/g, ''));
  fc.assert(
    fc.property(fc.array(line), (texts) => {
      const { taken, records } = split([Buffer.from(texts.join('\n'))]);

      const expected = texts.flatMap((text, index) => (/^[ \t]*$/.test(text) ? [] : [index + 1]));
      expect(taken.map((each) => each.line)).toEqual(expected);
      expect(records).toBe(expected.length);
    }),
  );
});

test('a byte order mark and CRLF are not part of a line, however the blocks fall', () => {
  const text = Buffer.from('\ufeff{"a":1}\r\n\r\n{"b":2}\r\n');
  for (let cut = 0; cut <= text.length; cut++) {
    const { taken } = split([text.subarray(0, cut), text.subarray(cut)]);
    expect(taken.map(({ line, text: each }) => [line, each])).toEqual([[1, '{"a":1}'], [3, '{"b":2}']]);
  }
});

test('a line beyond the limit is bad, whole size told, and the next one is fine', () => {
  const text = Buffer.from(`{"a":"${'x'.repeat(5_000)}"}\n{"b":2}\n`);
  const { taken } = split([text.subarray(0, 100), text.subarray(100, 3_000), text.subarray(3_000)]);
  expect(taken.map(({ line, fault }) => [line, fault?.reason, fault?.detail])).toEqual([
    [1, 'bad_line', 'a line of 5008 bytes, at most 64 are read'],
    [2, undefined, undefined],
  ]);
});

test.each([
  ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not UTF-8'],
  ['a NUL', Buffer.from('{"a":"\0"}'), 'a control character'],
  ['the line file\'s own separator', Buffer.from('{"a":"\x1f"}'), 'a control character'],
  ['a carriage return inside a text', Buffer.from('{"a":"\r"}'), 'a carriage return inside'],
])('%s makes a bad line of its own, and not of its neighbours', (_what, bad, detail) => {
  const { taken } = split([Buffer.concat([Buffer.from('{"a":1}\n'), bad, Buffer.from('\n{"b":2}\n')])]);
  expect(taken.map(({ fault }) => fault?.detail)).toEqual([undefined, detail, undefined]);
});

test('a carriage return between tokens is white space', () => {
  const { taken } = split([Buffer.from('{"a":\r1}\n')]);
  expect(taken).toEqual([{ line: 1, text: '{"a": 1}', fault: undefined }]);
});
