import type { Call, Interference } from './wrapped-client';

/** Stops a client's n-th call of a kind until it is let go: what a slow or frozen attempt looks like from outside. */
export class Hold {
  readonly interference: Interference;
  /** Resolves once the call stands at the gate. */
  readonly reached: Promise<void>;
  private open = () => {};
  private arrive = () => {};

  constructor(isHeld: (call: Call) => boolean) {
    const opened = new Promise<void>((resolve) => (this.open = resolve));
    this.reached = new Promise<void>((resolve) => (this.arrive = resolve));
    let held = false;
    this.interference = {
      before: async (call) => {
        if (held || !isHeld(call)) return;
        held = true;
        this.arrive();
        await opened;
      },
    };
  }

  letGo(): void {
    this.open();
  }
}

export const isCommit = (call: Call) => call.name === 'TransactWriteItemsCommand';
