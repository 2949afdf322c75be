/** A call on its way to an AWS client, as a test may look at it, change its input, or let it fail. */
export interface Call {
  readonly name: string;
  readonly input: Record<string, unknown>;
}

export interface Interference {
  /** Before the call is sent; throwing is a call that never arrived. */
  readonly before?: (call: Call) => void | Promise<void>;
  /** After the service did it; throwing is an answer that was lost. */
  readonly after?: (call: Call) => void | Promise<void>;
  /** What the caller is told in place of the service's answer. */
  readonly answer?: (call: Call, answer: unknown) => unknown;
}

interface Sender {
  send: (...args: never[]) => unknown;
}

/** The same client with something in between: the product's code is not touched. */
export function wrapped<T extends Sender>(client: T, { before, after, answer }: Interference): T {
  return new Proxy(client, {
    get(target, property) {
      if (property !== 'send') return Reflect.get(target, property) as unknown;
      return async (command: object, ...rest: unknown[]) => {
        const call: Call = { name: command.constructor.name, input: (command as { input: Record<string, unknown> }).input };
        await before?.(call);
        const found = await (target.send as (...args: unknown[]) => Promise<unknown>).call(target, command, ...rest);
        await after?.(call);
        return answer === undefined ? found : answer(call, found);
      };
    },
  });
}
