/** What a person may say of a cycle that its gate held. */
export const VERDICTS = ['approve', 'reject'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Input of the workflow update `decide`. */
export interface DecisionInput {
  readonly decision: Verdict;
  /** Who decides: kept in the promotion ledger and in the view's comment. */
  readonly by: string;
  readonly reason: string;
}

export interface Decision extends DecisionInput {
  /** Workflow time, RFC 3339. */
  readonly at: string;
  /** Nobody decided before the deadline, so the declaration did. */
  readonly automatic: boolean;
}

/** How long a held cycle waits, as its pipeline declares. */
export interface HoldSpec {
  /** At most 20 hours: the cycles after it wait 24 hours for the dataset's turn, which a held one keeps. */
  readonly deadlineMinutes: number;
  readonly atDeadline: Verdict;
  readonly remindEveryMinutes: number;
}

const LONGEST = { by: 100, reason: 1_000 } as const;
/** What a terminal, a mail header or a view's comment should not carry. */
const CONTROL = /[\p{Cc}\p{Surrogate}]/u;

/** Every fault of a decision that came from outside, with what was expected and found; empty when it is sound. */
export function decisionFaults(input: unknown): readonly string[] {
  if (typeof input !== 'object' || input === null) return [`expected {"decision","by","reason"}, found ${JSON.stringify(input)}`];
  const { decision } = input as Partial<Record<keyof DecisionInput, unknown>>;
  const known = VERDICTS.some((verdict) => verdict === decision);
  return [...(known ? [] : [`decision: expected ${VERDICTS.join(' or ')}, found ${JSON.stringify(decision)}`]), ...signatureFaults(input)];
}

/** Who asks for something and why: one line of each. */
export function signatureFaults(input: { readonly by?: unknown; readonly reason?: unknown }): readonly string[] {
  return (['by', 'reason'] as const).flatMap((name) => {
    const value = input[name];
    if (typeof value === 'string' && value.trim() !== '' && value.length <= LONGEST[name] && !CONTROL.test(value)) return [];
    return [`${name}: expected 1 to ${LONGEST[name]} characters on one line, found ${JSON.stringify(value)?.slice(0, 200) ?? 'nothing'}`];
  });
}

/** `approved by ada: the sensors were off` */
export function decisionSentence({ decision, by, reason, automatic }: Decision): string {
  const verb = decision === 'approve' ? 'approved' : 'rejected';
  return automatic ? `${verb} at the deadline: ${reason}` : `${verb} by ${by}: ${reason}`;
}
