/**
 * JSON has no Infinity and no NaN: JSON.stringify makes them null, which means that there is no number at all. Here they are the texts
 * "Infinity", "-Infinity" and "NaN".
 */

/** For JSON.stringify. */
export function writeNumber(_name: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** For JSON.parse. */
export function readNumber(_name: string, value: unknown): unknown {
  return value === 'Infinity' || value === '-Infinity' || value === 'NaN' ? Number(value) : value;
}
