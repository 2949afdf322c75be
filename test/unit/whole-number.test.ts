import { InvalidArgumentError } from 'commander';
import { wholeNumberTo } from '../../cli/whole-number';

test.each(['1', '3'])('%s is a whole number to 3', (text) => {
  expect(wholeNumberTo(3)(text)).toBe(Number(text));
});

test.each(['0', '4', '-1', '1.5', '', 'all'])('"%s" is none, and the bounds are said', (text) => {
  expect(() => wholeNumberTo(3)(text)).toThrow(new InvalidArgumentError('expected 1 to 3'));
});
