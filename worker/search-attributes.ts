import type { temporal } from '@temporalio/proto';
import { SEARCH_ATTRIBUTES } from '../domain/search-attribute-names';

/** The two calls that are needed of a connection's operator service. */
export type OperatorService = Pick<temporal.api.operatorservice.v1.OperatorService, 'listSearchAttributes'>;

/**
 * Refuses a namespace that lacks Meridian's search attributes: there, the first task of every cycle would fail and be retried
 * for ever (I8).
 * @throws Error that names what is missing and the command that adds it
 */
export async function requireSearchAttributes(operator: OperatorService, namespace: string): Promise<void> {
  const { customAttributes } = await operator.listSearchAttributes({ namespace });
  const missing = Object.entries(SEARCH_ATTRIBUTES).filter(([name]) => customAttributes?.[name] === undefined);
  if (missing.length === 0) return;
  const flags = missing.map(([name, type]) => `--name ${name} --type ${type}`).join(' ');
  throw new Error(
    `The Temporal namespace "${namespace}" lacks the search attributes ${missing.map(([name]) => name).join(', ')}: ` +
      `add them once with \`temporal operator search-attribute create --namespace ${namespace} ${flags}\``,
  );
}
