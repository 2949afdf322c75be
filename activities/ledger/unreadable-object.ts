/** An object that cannot be read as a whole, whatever the neighbours do: bad input, not broken machinery. */
export class UnreadableObject extends Error {
  override readonly name = 'UnreadableObject';
}

/**
 * What is wrong with the object, in printable ASCII, where an error says that it is the object's; undefined for the machine's own,
 * worth a retry. A message may quote the object's bytes.
 */
export function unreadableDetail(error: unknown): string | undefined {
  const detail = error instanceof UnreadableObject ? error.message : zlibDetail(error as NodeJS.ErrnoException);
  return detail?.replace(/[^\x20-\x7e]/g, '?');
}

function zlibDetail({ code, message }: NodeJS.ErrnoException): string | undefined {
  return code !== undefined && /^Z_(DATA|BUF|STREAM|NEED_DICT)/.test(code) ? `${message} (${code})` : undefined;
}
