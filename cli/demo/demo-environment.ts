const FOREIGN = /^(AWS_|TEMPORAL_|PG[A-Z]+$|MERIDIAN_[A-Z]+_(BUCKET|TABLE|ARN|URI)$)/;

/** The environment with the local stack's settings, and without any others: the demo deletes data, never in a real account. */
export function localEnvironment(stackEnv: Readonly<Record<string, string>>, ambient: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept = Object.entries(ambient).filter(([name]) => !FOREIGN.test(name));
  return { ...Object.fromEntries(kept), ...stackEnv };
}

/** Makes it this process's own, for clients that read it. */
export function enterLocalEnvironment(stackEnv: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (FOREIGN.test(name)) delete process.env[name];
  Object.assign(process.env, stackEnv);
}

/**
 * A setting of the local stack.
 * @throws Error that names it
 */
export function settingOf(stackEnv: Readonly<Record<string, string>>, name: string): string {
  const value = stackEnv[name];
  if (value === undefined || value === '') throw new Error(`The local stack has no setting ${name}: run \`npx meridian down --purge\` and the demo again`);
  return value;
}
