// Preloaded into a worker: its clock is off by MERIDIAN_FAULT_CLOCK_MS, as on a machine without NTP. Timers keep their pace.
const shiftMs = Number(process.env.MERIDIAN_FAULT_CLOCK_MS ?? 0);
const Real = Date;
const now = () => Real.now() + shiftMs;

globalThis.Date = new Proxy(Real, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  apply: () => new Real(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
