import { generationPrefix } from '../../../domain/cycle';
import { toRfc3339 } from '../../../domain/data-interval';
import type { Evidence } from './evidence';
import { nameOf } from './record';
import { Findings, type Finding } from './subject';

/** I9: each generation that closed was told once, by the outcome that it closed with, and before that once that it was held, where it was. */
export function auditNotifications({ subject, record }: Evidence): Finding {
  const findings = new Findings('I9');
  if (subject.outcomes === undefined) return { violations: [], counts: {} };
  const told = subject.outcomes.filter((message) => message.pipeline === subject.spec.name);
  let repeatedMessages = 0;
  for (const { name, cycle, outcome, held } of record.generations) {
    if (outcome === null) continue; // I7 has said so
    const messages = told.filter((message) => message.outcome !== 'rolled-back' && message.intervalEnd === cycle.intervalEnd && message.generation === cycle.generation);
    const ids = [...new Set(messages.map((message) => message.outcomeId))];
    const toldHeld = held && ids[0]?.endsWith('/held') === true;
    // Ended by force or cancelled in that very moment, it may not have come to tell.
    const mustTell = held && (outcome === 'promoted' || outcome === 'rejected');
    const expected = [...(toldHeld || mustTell ? ['held'] : []), outcome].map((event) => `${generationPrefix(cycle)}/${event}`).join(', ');
    if (ids.join(', ') !== expected) findings.add(`${name} closed as ${outcome}, told was ${ids.join(', ') || 'nothing'}, expected ${expected}`);
    repeatedMessages += messages.length - ids.length;
  }
  for (const { sequence } of record.promotions.filter(({ kind }) => kind === 'rollback')) {
    const id = `${subject.spec.name}/rollback/${sequence}`;
    const times = told.filter((message) => message.outcomeId === id).length;
    if (times !== 1 && !(times === 2 && subject.lostNotification === true)) findings.add(`rollback ${sequence} was told ${times} times, expected once as ${id}`);
  }
  if (repeatedMessages > (subject.lostNotification === true ? 1 : 0)) {
    findings.add(`${repeatedMessages} message(s) repeat an outcome that was told before`);
  }
  const closed = new Set(record.generations.map(({ name }) => name));
  findings.addAll(
    'message(s) of a generation that nobody knows',
    told.filter((message) => !closed.has(nameOf(toRfc3339(new Date(message.intervalEnd)), message.generation))).map((message) => message.outcomeId),
  );
  return { violations: findings.violations, counts: { notifications: told.length, repeatedNotifications: repeatedMessages } };
}
