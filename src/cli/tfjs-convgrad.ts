/**
 * The command `tfjs-convgrad`. Its exit code is 0 if everything agrees, 1 if something disagrees, 2 if it cannot tell.
 */
import { Command, Option } from 'commander';
import { type BackendName, BACKENDS } from '../../kernels/registry.js';
import { compareCommand, type CompareOptions, version } from './compare.js';
import type { OwnCase, Selection } from './comparison.js';
import { modelCommand, type ModelOptions } from './model/command.js';
import { NO_SHAPES, type Shapes } from './model/shapes.js';
import { ELEMENTS } from './model/task.js';
import { inputShapes, listOf, oneOf, padding, script, shapes, whole, writable } from './options.js';

/** Milliseconds for which one kernel and case are timed. */
const TIMED_MS = 20;
/** Default of --timeout, in seconds. Everything takes half a minute on cpu and a few minutes on webgl without a GPU. */
const TIMEOUT = 1800;
/** How often a model is timed with each set of kernels. */
const REPEAT = 5;
const CANNOT_TELL = 2;
const NAME = 'tfjs-convgrad';

interface Given
  extends
    Omit<CompareOptions, 'asked'>,
    Pick<Selection, 'op' | 'case'>,
    Partial<Pick<OwnCase, 'strides' | 'pad'>> {
  seed: number;
  shape?: Pick<OwnCase, 'x' | 'window'>;
}

type GivenModel = Omit<ModelOptions, 'backends' | 'shapes'> & { backend: BackendName[]; shape?: Shapes };

const EXAMPLES = `
Examples:
  ${NAME} compare                                    every kernel on cpu
  ${NAME} compare --op conv2d --case nchw            some kernels and cases
  ${NAME} compare --list --backend webgl             what there is to compare
  ${NAME} compare --shape 1x28x28x1,3x3x1x32         a convolution of these shapes
  ${NAME} compare --kernels mine.js --backend webgl  kernels of your own, in a browser
  ${NAME} compare --html report.html                 a report to read or to pass on
  ${NAME} compare --json > report.json               for a program; Infinity and NaN are texts
  ${NAME} model model.json --shape 1x224x224x3       a whole model: is each op right, and how fast
  ${NAME} model mine.mjs --gradients --backend cpu,webgl     the same forward and backward, on two backends

Exit code: 0 if everything is right, 1 if something is wrong, 2 if nothing could be said.
On webgl an installed Chrome or Chromium runs the kernels. CHROME_BIN says where it is if it is not found.`;

const program = new Command(NAME)
  .version(version())
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, `${NAME}: `)) })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : CANNOT_TELL))
  .addHelpText('afterAll', EXAMPLES);

program
  .command('compare')
  .description(
    'Compares kernels on this machine with their float64 definition, the built-in and numerical gradients. ' +
      'Names may be written in any case of letters.',
  )
  .option('--backend <name>', `backend to run on: ${BACKENDS.join(', ')}`, oneOf(BACKENDS), 'cpu')
  .option('--op <text>', 'compare only kernels whose name contains the text', '')
  .option('--case <text>', 'compare only cases whose name contains the text', '')
  .option('--list', 'print the names of kernels and cases instead of comparing', false)
  .option(
    '--shape <x,filter>',
    'compare on these shapes instead of the named cases: 1x28x28x1,3x3x1x32, or with a window: 1x28x28x3,2x2, ' +
      'or with --op depthwise and a filter that ends in channels and multiplier: 1x28x28x32,3x3x32x1',
    shapes,
  )
  .option('--strides <number>', 'strides for --shape (default: 1)', whole(1000))
  .option('--pad <pad>', "pad for --shape: 'same', 'valid' or a number (default: 'valid')", padding)
  .option('--kernels <file>', 'compare the kernels that this module exports; see docs/custom-ops.md', script)
  .option('--seed <number>', 'seed of all random data', whole(2 ** 31), 1)
  .option('--timeout <seconds>', 'give up after so many seconds', whole(86_400), TIMEOUT)
  .option('--json', 'print JSON on standard output, and nothing else', false)
  .option('--html <file>', 'write an HTML report to this file', writable)
  .action(async ({ op, case: caseName, seed, shape, strides, pad, ...given }: Given) => {
    if (!shape && (strides ?? pad) !== undefined) throw new Error('--strides and --pad need --shape.');
    const own = shape && { ...shape, strides: strides ?? 1, pad: pad ?? 'valid' };
    const asked = { op, case: caseName, seed, own, milliseconds: TIMED_MS };
    const right = await compareCommand({ ...given, asked });
    process.exitCode = right ? 0 : 1;
  });

program
  .command('model')
  .description(
    "Checks and times a whole model, kernel by kernel, with tfjs's kernels and with the plugin's. PLACE is the path or the URL of a " +
      'model.json, or a module that exports model, or load, and may export inputs and loss.',
  )
  .argument('<place>', 'path or URL of a model.json, or path of a module')
  .addOption(
    new Option('--backend <list>', `backends to run on, of ${BACKENDS.join(',')}`)
      .argParser(listOf(BACKENDS))
      .default(['wasm'], 'wasm'),
  )
  .option(
    '--shape <list>',
    'shapes of the inputs: 1x224x224x3, or by name: image=1x224x224x3,mask=1x224x224',
    inputShapes,
  )
  .option('--ops', 'print every op, beside the kernels', false)
  .option('--gradients', 'run it backward, too, and check its gradients', false)
  .option('--repeat <number>', 'time each side so often', whole(1000), REPEAT)
  .option(
    '--elements <number>',
    'compare at most this many elements of each output',
    whole(2 ** 31),
    ELEMENTS,
  )
  .option('--seed <number>', 'seed of all random data', whole(2 ** 31), 1)
  .option('--timeout <seconds>', 'give up after so many seconds', whole(86_400), TIMEOUT)
  .option('--json', 'print JSON on standard output, and nothing else', false)
  .option('--html <file>', 'write an HTML report to this file', writable)
  .action(async (place: string, { backend, shape, ...given }: GivenModel) => {
    const right = await modelCommand(place, { ...given, backends: backend, shapes: shape ?? NO_SHAPES });
    process.exitCode = right ? 0 : 1;
  });

await program.parseAsync().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  console.error(message.replace(/^(tfjs-convgrad: )?/, `${NAME}: `)); // the library's messages have the prefix
  process.exit(CANNOT_TELL);
});
