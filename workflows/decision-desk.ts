import { ActivityFailure, CancellationScope, condition, defineUpdate, isCancellation, log, setHandler } from '@temporalio/workflow';
import { type Decision, type DecisionInput, decisionFaults, decisionSentence, type HoldSpec } from '../domain/decision';
import { toRfc3339 } from '../domain/data-interval';

/** Decides on a held cycle: `temporal workflow update execute --name decide`. */
export const decideUpdate = defineUpdate<Decision, [DecisionInput]>('decide');

const MINUTE_MS = 60_000;

/** What is told while a cycle waits; `reminder` 0 says that it is held now. */
export type Tell = (reminder: number, until: string) => Promise<void>;

/** Takes one decision for a cycle, while it waits for one. Made at the workflow's start, so that no update comes too early. */
export class DecisionDesk {
  private open = false;
  private decision: Decision | undefined;
  private readonly telling = new CancellationScope();
  private told: Promise<void> = Promise.resolve();

  constructor(workflowId: string) {
    setHandler(decideUpdate, (input) => this.take(input), {
      description: 'of a held cycle: {"decision":"approve" or "reject","by":"<who>","reason":"<why>"}',
      validator: (input) => {
        const faults = decisionFaults(input);
        if (faults.length > 0) throw new TypeError(`No decision: ${faults.join('; ')}`);
        if (this.decision !== undefined) throw new TypeError(`${workflowId} was already ${decisionSentence(this.decision)}`);
        if (!this.open) throw new TypeError(`${workflowId} waits for no decision: only a cycle that its gate held does`);
      },
    });
  }

  /**
   * Waits for the first decision, telling now and then that it is wanted; at the deadline the declaration decides.
   * @throws CancelledFailure when the cycle is cancelled meanwhile
   */
  async wait(hold: HoldSpec, tell: Tell): Promise<Decision> {
    const deadlineMs = Date.now() + hold.deadlineMinutes * MINUTE_MS;
    const until = toRfc3339(new Date(deadlineMs));
    this.open = true;
    try {
      for (let reminder = 0; ; reminder += 1) {
        this.tellAfter(this.told, reminder, until, tell);
        const napMs = Math.min(hold.remindEveryMinutes * MINUTE_MS, deadlineMs - Date.now());
        if (await condition(() => this.decision !== undefined, napMs, { summary: `decision on this cycle until ${until}` })) break;
        if (Date.now() >= deadlineMs) break;
      }
      return this.decision ?? this.decideBy(hold);
    } finally {
      this.open = false;
    }
  }

  /** Until what was to be told of the wait has been told, or could not be. Before the outcome is told, which comes after it. */
  async settled(): Promise<void> {
    await this.told;
  }

  /** Tells nothing more: the cycle ends by a failure or a cancellation. */
  async hush(): Promise<void> {
    this.telling.cancel();
    await this.told;
  }

  /** One after the other, and beside the wait: a topic that is down delays no decision. */
  private tellAfter(before: Promise<void>, reminder: number, until: string, tell: Tell): void {
    this.told = this.telling
      .run(async () => {
        await before;
        if (reminder === 0 || this.open) await tell(reminder, until);
      })
      .catch(notTold);
  }

  private take(input: DecisionInput): Decision {
    const { decision, by, reason } = input;
    this.decision = { decision, by, reason, at: toRfc3339(new Date()), automatic: false };
    return this.decision;
  }

  private decideBy({ atDeadline, deadlineMinutes }: HoldSpec): Decision {
    const reason = `nobody decided within ${deadlineMinutes} minutes`;
    this.decision = { decision: atDeadline, by: 'declaration', reason, at: toRfc3339(new Date()), automatic: true };
    return this.decision;
  }
}

function notTold(error: unknown): void {
  if (!isCancellation(error) && !(error instanceof ActivityFailure)) throw error;
  log.warn('A notification of the held cycle was not sent', { error: String(error) });
}
