/** Sizes that a cluster of Aurora may grow to. @see Aurora, "Scaling to Zero ACUs": it pauses at a minimum of 0 */
export const AURORA_ACUS = ['1', '2', '4', '8', '16', '32', '64'];

/** Addresses that are nobody's but one's own. */
export const NOWHERE = '127.0.0.1/32';

/** Closed sets, since a template's rules can compare values but not numbers. */
export const TASK_COUNTS_LEAST = ['0', '1', '2', '4'];
export const TASK_COUNTS_MOST = ['0', '1', '2', '4', '8', '16'];
