/** A state as a program: with tf and this plugin, or with the numeric functions alone. */
import {
  geometryOf,
  groupedFilter,
  groupsOf,
  isPool,
  padding,
  product,
  rounding,
  type State,
  xShape,
} from './state.js';

export const KINDS = ['tfjs-convgrad', 'tfjs-convgrad/numeric'] as const;
export type Kind = (typeof KINDS)[number];

export function codeOf(state: State, kind: Kind): string {
  const pools = isPool(state.op);
  const withTf = pools ? tfPool : state.op === 'dense' ? tfDense : tfConv;
  const lines = kind === 'tfjs-convgrad' ? withTf : pools ? numericPool : numericConv;
  return `${lines(state).join('\n')}\n`;
}

const list = (values: ArrayLike<number>) => Array.from(values).join(', ');
const shape = (sizes: readonly number[]) => `[${list(sizes)}]`;

function options(s: State, more: string[] = []): string {
  const pad = padding(s);
  const parts = [
    ...more,
    `strides: [${list(s.strides)}]`,
    `pad: ${typeof pad === 'string' ? `'${pad}'` : JSON.stringify(pad).replaceAll(',', ', ')}`,
    `dilations: [${list(s.dilations)}]`,
    `dataFormat: '${s.dataFormat}'`,
    ...(rounding(s) ? [`dimRoundingMode: '${rounding(s)}'`] : []),
    ...(s.op === 'avgPool' ? [`countIncludePad: ${s.countIncludePad}`] : []),
  ];
  return `{ ${parts.join(', ')} }`;
}

const groups = (s: State) => (groupsOf(s) > 1 ? [`groups: ${groupsOf(s)}`] : []);

function tfConv(s: State): string[] {
  return [
    "import * as tf from '@tensorflow/tfjs';",
    "import { conv2d } from 'tfjs-convgrad';",
    '',
    `const x = tf.tensor4d([${list(s.x)}], ${shape(xShape(s))});`,
    `const filter = tf.tensor4d([${list(s.filter)}], ${shape(groupedFilter(s))});`,
    `const bias = tf.tensor1d([${list(s.bias)}]);`,
    `const dy = tf.tensor4d([${list(s.dy)}], ${shape(geometryOf(s).outShape)});`,
    `const f = (x, filter, bias) => conv2d(x, filter, ${options(s, ['bias', ...groups(s)])});`,
    'const y = f(x, filter, bias);',
    'const [dx, dFilter, dBias] = tf.grads(f)([x, filter, bias], dy);',
    'for (const tensor of [y, dx, dFilter, dBias]) tensor.print();',
  ];
}

/** Whatever serves tf.matMul: the plugin's kernels, where it is installed. */
function tfDense(s: State): string[] {
  return [
    "import * as tf from '@tensorflow/tfjs';",
    '',
    `const x = tf.tensor2d([${list(s.x)}], ${shape([s.batch, s.channels])});`,
    `const filter = tf.tensor2d([${list(s.filter)}], ${shape([s.channels, s.outChannels])});`,
    `const bias = tf.tensor1d([${list(s.bias)}]);`,
    `const dy = tf.tensor2d([${list(s.dy)}], ${shape([s.batch, s.outChannels])});`,
    'const f = (x, filter, bias) => tf.add(tf.matMul(x, filter), bias);',
    'const y = f(x, filter, bias);',
    'const [dx, dFilter, dBias] = tf.grads(f)([x, filter, bias], dy);',
    'for (const tensor of [y, dx, dFilter, dBias]) tensor.print();',
  ];
}

function tfPool(s: State): string[] {
  return [
    "import * as tf from '@tensorflow/tfjs';",
    `import { ${s.op} } from 'tfjs-convgrad';`,
    '',
    `const x = tf.tensor4d([${list(s.x)}], ${shape(xShape(s))});`,
    `const dy = tf.tensor4d([${list(s.dy)}], ${shape(geometryOf(s).outShape)});`,
    `const f = (x) => ${s.op}(x, [${s.filterHeight}, ${s.filterWidth}], ${options(s)});`,
    'const y = f(x);',
    'const dx = tf.grad(f)(x, dy);',
    'for (const tensor of [y, dx]) tensor.print();',
  ];
}

const result = (name: string, size: number) => `const ${name} = new Float64Array(${size});`;

function numericConv(s: State): string[] {
  const outShape = geometryOf(s).outShape;
  return [
    "import { biasGrad, conv2d, conv2dBackpropFilter, conv2dBackpropInput, convGeometry } from 'tfjs-convgrad/numeric';", // prettier-ignore
    '',
    `const g = convGeometry(${shape(xShape(s))}, ${shape(groupedFilter(s))}, ${options(s, groups(s))});`,
    `const x = Float64Array.of(${list(s.x)});`,
    `const filter = Float64Array.of(${list(s.filter)});`,
    `const dy = Float64Array.of(${list(s.dy)});`,
    result('y', product(outShape)),
    'conv2d(x, filter, g, y); // without the bias',
    result('dx', s.x.length),
    'conv2dBackpropInput(dy, filter, g, dx);',
    result('dFilter', s.filter.length),
    'conv2dBackpropFilter(x, dy, g, dFilter);',
    result('dBias', s.bias.length),
    'biasGrad(dy, g, dBias);',
    'console.log(y, dx, dFilter, dBias);',
  ];
}

function numericPool(s: State): string[] {
  const size = product(geometryOf(s).outShape);
  const isMax = s.op === 'maxPool';
  return [
    `import { ${s.op}, ${s.op}Grad, poolGeometry } from 'tfjs-convgrad/numeric';`,
    '',
    `const g = poolGeometry(${shape(xShape(s))}, [${s.filterHeight}, ${s.filterWidth}], ${options(s)});`,
    `const x = Float64Array.of(${list(s.x)});`,
    `const dy = Float64Array.of(${list(s.dy)});`,
    result('y', size),
    ...(isMax ? [`const positions = new Int32Array(${size});`] : []),
    isMax ? 'maxPool(x, g, y, positions);' : 'avgPool(x, g, y);',
    result('dx', s.x.length),
    isMax ? 'maxPoolGrad(dy, positions, dx);' : 'avgPoolGrad(dy, g, dx);',
    'console.log(y, dx);',
  ];
}
