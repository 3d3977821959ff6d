/** Cells of the tables in reports and pages. */

/** A text; a number, shown to three digits; null for nothing; or a text that says that something passed or failed. */
export type Cell = string | number | null | { text: string; ok: boolean };

export function format(value: number): string {
  if (value === Infinity) return '∞';
  const size = Math.abs(value);
  return size > 0 && (size < 1e-3 || size >= 1e5)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
}
