/** Capacity that fills at a rate up to a store, as DynamoDB meters a partition: time here is the simulation's, in seconds. */
export class TokenBucket {
  private tokens: number;
  private at = 0;
  taken = 0;

  constructor(
    private readonly perSecond: number,
    private readonly store: number,
  ) {
    this.tokens = store;
  }

  /** Takes `units`, more than the store holds as well. @returns when they are had */
  take(units: number, nowSeconds: number): number {
    // Who came earlier in the simulation may have been granted a later moment: the queue is one.
    const from = Math.max(nowSeconds, this.at);
    this.tokens = Math.min(this.store, this.tokens + (from - this.at) * this.perSecond);
    this.at = from;
    this.taken += units;
    const missing = units - this.tokens;
    if (missing > 0) {
      this.at += missing / this.perSecond;
      this.tokens = 0;
    } else this.tokens -= units;
    return this.at;
  }
}
