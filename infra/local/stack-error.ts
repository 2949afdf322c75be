/** A fault of the machine or of what the user asked that one paragraph explains; commands print it without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError';
}
