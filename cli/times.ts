/** `2018-08-02 00:00 UTC (02:00 GMT+2)`: an instant for a person; the second part only where the machine's zone is another. */
export function utcAndLocal(rfc3339: string, zone = Intl.DateTimeFormat().resolvedOptions().timeZone): string {
  const instant = new Date(rfc3339);
  const utc = `${rfc3339Minute(instant)} UTC`;
  const local = localParts(instant, zone);
  if (local.minute === rfc3339Minute(instant)) return utc;
  return `${utc} (${local.minute.slice(0, 10) === utc.slice(0, 10) ? local.minute.slice(11) : local.minute} ${local.name})`;
}

/** `3 min 20 s`, of two instants. */
export function took(from: string, to: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function rfc3339Minute(instant: Date): string {
  return instant.toISOString().slice(0, 16).replace('T', ' ');
}

function localParts(instant: Date, zone: string): { readonly minute: string; readonly name: string } {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  });
  const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
  return { minute: `${part['year']}-${part['month']}-${part['day']} ${part['hour']}:${part['minute']}`, name: part['timeZoneName'] ?? zone };
}
