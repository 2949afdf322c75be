/** The two looks that the gate takes: at what a cycle adds, and at all that would be served. */
export const QUALITY_STEPS = ['added', 'served'] as const;
export type QualityStep = (typeof QUALITY_STEPS)[number];

/** The rules as one DQDL ruleset. @see AWS Glue, "Data Quality Definition Language (DQDL) reference" */
export function rulesetText(rules: readonly string[]): string {
  return `Rules = [\n${rules.map((rule) => `  ${rule}`).join(',\n')}\n]`;
}

/**
 * `mobile-geolocation-added-9f0c1d2e3b4a5968`: named by its content, so that editing a pipeline makes another ruleset and a
 * running cycle keeps the one that its history holds.
 */
export function rulesetName(pipeline: string, step: QualityStep, rules: readonly string[]): string {
  return `${pipeline}-${step}-${fnv1a64(rulesetText(rules))}`;
}

/** FNV-1a, 64 bits, hexadecimal. Tells a few declarations apart; nothing here resists an adversary or needs to.
 *  @see draft-eastlake-fnv */
function fnv1a64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, '0');
}
