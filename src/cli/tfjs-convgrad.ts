/**
 * The command `tfjs-convgrad`. Its exit code is 0 if everything agrees, 1 if something disagrees, 2 if it cannot tell.
 */
import { Command, Option } from 'commander';
import { BACKENDS } from '../../kernels/registry.js';
import { compareCommand, type CompareOptions, version } from './compare.js';
import type { OwnCase } from './comparison.js';
import { padding, readable, shapes, whole, writable } from './options.js';

/** Milliseconds for which one kernel and case are timed. */
const TIMED_MS = 20;
const CANNOT_TELL = 2;

interface Given
  extends Omit<CompareOptions, 'own' | 'milliseconds'>, Partial<Pick<OwnCase, 'strides' | 'pad'>> {
  shape?: Pick<OwnCase, 'x' | 'window'>;
}

const program = new Command('tfjs-convgrad').version(version()).exitOverride(({ exitCode }) => {
  process.exit(exitCode === 0 ? 0 : CANNOT_TELL);
});

program
  .command('compare')
  .description(
    'Compares kernels on this machine with their float64 definition, the built-in and numerical gradients.',
  )
  .addOption(new Option('--backend <name>', 'backend to run on').choices(BACKENDS).default('cpu'))
  .option('--op <text>', 'compare only kernels whose name contains the text', '')
  .option('--case <text>', 'compare only cases whose name contains the text', '')
  .option(
    '--shape <x,filter>',
    'compare on these shapes instead of the named cases: 1x28x28x1,3x3x1x32, or with a window: 1x28x28x3,2x2, ' +
      'or with --op Depthwise and a filter that ends in channels and multiplier: 1x28x28x32,3x3x32x1',
    shapes,
  )
  .option('--strides <number>', 'strides for --shape (default: 1)', whole(1000))
  .option('--pad <pad>', "pad for --shape: 'same', 'valid' or a number (default: 'valid')", padding)
  .option(
    '--kernels <file>',
    'compare the kernels that this module exports; see docs/custom-ops.md',
    readable,
  )
  .option('--seed <number>', 'seed of all random data', whole(2 ** 31), 1)
  .option('--json', 'print JSON on standard output, and nothing else', false)
  .option('--html <file>', 'write an HTML report to this file', writable)
  .action(async ({ shape, strides, pad, ...given }: Given) => {
    if (!shape && (strides ?? pad) !== undefined) throw new Error('--strides and --pad need --shape.');
    const own = shape && { ...shape, strides: strides ?? 1, pad: pad ?? 'valid' };
    const right = await compareCommand({ ...given, own, milliseconds: TIMED_MS });
    process.exitCode = right ? 0 : 1;
  });

await program.parseAsync().catch((error: Error) => {
  console.error(error.message.replace(/^(tfjs-convgrad: )?/, 'tfjs-convgrad: ')); // the library's messages have the prefix
  process.exit(CANNOT_TELL);
});
