/** The stacks that `infra/aws` may synthesise, by the word that `--stack` takes; in the order that one needs the other. */
export const STACKS = {
  deployment: 'MeridianDeployment',
  data: 'Meridian',
  runtime: 'MeridianRuntime',
  monitoring: 'MeridianMonitoring',
} as const;
export type StackWord = keyof typeof STACKS;
export type StackName = (typeof STACKS)[StackWord];
