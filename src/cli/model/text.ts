/** What `model` has found, as text. */
import type { ModelRun } from './command.js';
import { kernelsOf, linesOf, opsIn, ownShare, placeOf, speedUps, verdictOf } from './tables.js';
import type { ModelResult } from './task.js';

/** @param ops also every op */
export function modelText({ results, gradients }: ModelRun, ops: boolean): string {
  return [
    ...results.flatMap((result) => [...resultLines(result), ...(ops ? opLines(result) : [])]),
    '',
    `${gradients ? 'A run forward and backward' : 'A prediction'}, on each backend:`,
    ...tableLines([
      ['backend', "tfjs's kernels", "the plugin's", 'ms, tfjs', 'ms, plugin', 'expected', 'measured'],
      ...results.map((result) => {
        const { expected, measured } = speedUps(result);
        const { tfjs, plugin } = result.whole;
        return [result.backend, verdictOf(result.tfjs), verdictOf(result.plugin), ms(tfjs), ms(plugin), ratio(expected), ratio(measured)]; // prettier-ignore
      }),
    ]),
    'expected: how many times faster with the plugin by the times of the kernels; measured: by those of whole runs.',
  ].join('\n');
}

function resultLines(result: ModelResult): string[] {
  const shapes = result.inputs.map(({ name, shape }) => `${name} ${shape.join('x')}`);
  return [
    '',
    `== ${result.backend}: ${shapes.join(', ')}`,
    `With tfjs's kernels: ${linesOf(result.tfjs).join('\n')}`,
    `With the plugin's: ${linesOf(result.plugin).join('\n')}`,
    ownShare(result),
    '',
    ...tableLines([
      [
        'kernel',
        'calls',
        'whose',
        'error, tfjs',
        'error, plugin',
        'ms, tfjs',
        'ms, plugin',
        'speed',
        'share',
      ],
      ...kernelsOf(result).map((row) => [
        row.kernel,
        String(row.calls),
        row.isOurs ? 'plugin' : 'tfjs',
        error(row.errors.tfjs, row.isWrong.tfjs),
        error(row.errors.plugin, row.isWrong.plugin),
        ms(row.tfjs),
        ms(row.plugin),
        ratio(row.tfjs !== null && row.plugin !== null ? row.tfjs / row.plugin : null),
        row.share === null ? '-' : `${(100 * row.share).toFixed(0)}%`,
      ]),
    ]),
  ];
}

/** Milliseconds of an op are those of one run. */
function opLines(result: ModelResult): string[] {
  const rows = [
    ['op', 'layer', 'inputs', 'state', 'error, tfjs', 'error, plugin', 'ms, tfjs', 'ms, plugin'],
    ...opsIn(result).map(({ op, tfjs }) => {
      const { layer, shapes } = placeOf(op);
      const errors = [tfjs, op].map((one) => error(one?.error ?? null, one?.state === 'wrong'));
      const times = [tfjs, op].map((one) => ms(one?.milliseconds ?? null));
      return [`#${op.index} ${op.kernel}`, layer, shapes, op.state, ...errors, ...times];
    }),
  ];
  return ['', ...tableLines(rows)];
}

/** Lines with aligned columns. The first `texts` columns begin on the left, the others end on the right. */
export function tableLines(rows: string[][], texts = 1): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, c) => (c < texts ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  '),
  );
}

const ms = (value: number | null) => (value === null ? '-' : String(Number(value.toPrecision(3))));
const ratio = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)}x`);
const error = (value: number | null, isWrong: boolean) =>
  value === null ? '-' : `${isWrong ? 'WRONG ' : ''}${value === 0 ? '0' : value.toPrecision(2)}`;
