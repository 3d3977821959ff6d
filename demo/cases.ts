/** A case of a kernel, in words and shapes; and the case of another kernel that is most like it. */
import type { Subject } from '../kernels/proof.js';
import type { KernelName } from '../kernels/registry.js';

type Shape = readonly number[];

const GATHERS = 'Each cell of y gathers: it sums x times the filter over its window.';
const CHANNELWISE = 'Each channel has filters of its own.';
const FUSED = 'A bias and an activation may follow.';
const SCATTERS = 'The gradient of x. Each dy scatters: times the filter, it spreads over its window and is added to dx.'; // prettier-ignore
const GATHERS_FILTER = 'The gradient of the filter. Each cell of dFilter gathers: it sums x times dy over all windows.'; // prettier-ignore
const LARGEST = 'Each cell of y gathers: it takes the largest x of its window.';

/** What the kernels that have windows compute. */
const WORDS: { [name in KernelName]?: string } = {
  Conv2D: GATHERS,
  FusedConv2D: `${GATHERS} ${FUSED}`,
  Conv2DBackpropInput: SCATTERS,
  Conv2DBackpropFilter: GATHERS_FILTER,
  DepthwiseConv2dNative: `${GATHERS} ${CHANNELWISE}`,
  FusedDepthwiseConv2D: `${GATHERS} ${CHANNELWISE} ${FUSED}`,
  DepthwiseConv2dNativeBackpropInput: `${SCATTERS} ${CHANNELWISE}`,
  DepthwiseConv2dNativeBackpropFilter: `${GATHERS_FILTER} ${CHANNELWISE}`,
  MaxPool: LARGEST,
  MaxPoolWithArgmax: `${LARGEST} The indexes say where it stands.`,
  MaxPoolGrad:
    'The gradient of x. Each dy scatters: it goes to the maximum of its window and is added to dx.',
  AvgPool: 'Each cell of y gathers: it takes the mean of its window.',
  AvgPoolGrad: 'The gradient of x. Each dy scatters: it spreads over its window in equal shares and is added to dx.', // prettier-ignore
};

export const hasWindows = ({ attrs }: Subject) => attrs.strides !== undefined;

/** What the kernel computes, and on how much. Nothing for kernels without windows: their names and shapes say it. */
export function caseInWords(subject: Subject): string[] {
  if (!hasWindows(subject)) return [];
  const { inputs, outShape, attrs, kernelName } = subject;
  const image = (shape: Shape) => {
    const [n, h, w, c] = attrs.dataFormat === 'NCHW' ? [shape[0], shape[2], shape[3], shape[1]] : shape;
    return `${count(n, 'image')} of ${h} by ${w}, ${count(c, 'channel')}`;
  };
  const { x, window } = geometryOf(subject);
  return [
    WORDS[kernelName]!,
    `x: ${image(x as Shape)}. Window: ${window!.join(' by ')}. y: ${image(inputs.dy ?? outShape)}.`,
  ];
}

const count = (n: number, name: string) => `${n} ${name}${n === 1 ? '' : 's'}`;

/** What the kernel's result is called. */
export function resultName({ kernelName, output }: Subject): string {
  if (kernelName === 'BatchNormSums') return 'sums';
  if (kernelName.endsWith('BackpropFilter')) return 'dFilter';
  if (kernelName.endsWith('BackpropInput') || kernelName.endsWith('Grad')) return 'dx';
  return output === 1 ? 'indexes' : 'y';
}

/** The inputs, the attributes and the result: what stands on the left has the value on the right. */
export function caseEntries(subject: Subject): [name: string, value: string][] {
  const { inputs, attrs, outShape } = subject;
  const entry = (name: string, shape: Shape): [string, string] => [
    `${name}${axesInWords(subject, name, shape)}`,
    asText(shape),
  ];
  const others = Object.entries(attrs).filter(([name]) => !/^(input|filter)Shape$/.test(name)); // the result's shape
  return [
    ...Object.entries(inputs).map(([name, shape]) => entry(name, shape)),
    ...others.map(([name, value]): [string, string] => [name, asText(value)]),
    entry(resultName(subject), outShape),
  ];
}

const asText = (value: unknown): string =>
  Array.isArray(value) ? `[${value.map(asText).join(', ')}]` : String(value);

const IMAGES = ['x', 'dx', 'input', 'output', 'y', 'dy', 'indexes'];

function axesInWords(subject: Subject, name: string, shape: Shape): string {
  if (!hasWindows(subject) || shape.length !== 4) return '';
  const out = isDepthwise(subject) ? 'multiplier' : 'out';
  if (name === 'filter' || name === 'dFilter') return ` [h, w, c, ${out}]`;
  if (!IMAGES.includes(name)) return '';
  return subject.attrs.dataFormat === 'NCHW' ? ' [n, c, h, w]' : ' [n, h, w, c]';
}

export const isDepthwise = ({ kernelName }: Subject) => /Depthwise/.test(kernelName);

// The most similar case

type Facts = Record<string, readonly unknown[] | undefined>;

/** The sizes that a case is about. A convolution and its gradients have equal ones. */
function geometryOf({ inputs, attrs }: Subject): Facts {
  const filter = inputs.filter ?? (attrs.filterShape as number[] | undefined);
  const both = (value: unknown) => (typeof value === 'number' ? [value, value] : (value as number[]));
  return {
    x: inputs.x ?? inputs.input ?? (attrs.inputShape as number[] | undefined) ?? inputs.a,
    b: inputs.b,
    window: filter?.slice(0, 2) ?? both(attrs.filterSize),
    channels: filter?.slice(2),
    strides: both(attrs.strides),
    pad: [attrs.pad].flat(2),
    dilations: both(attrs.dilations),
    others: [attrs.dataFormat, attrs.groups, attrs.dimRoundingMode, attrs.transposeA, attrs.transposeB, attrs.axis].flat(), // prettier-ignore
  };
}

/** 0 for equal geometries. Sizes differ by their ratio, words by 1. */
function distance(a: Facts, b: Facts): number {
  const between = (p: unknown, q: unknown) =>
    typeof p === 'number' && typeof q === 'number' ? Math.abs(Math.log((p + 1) / (q + 1))) : Number(p !== q);
  const parts = Object.keys(a).flatMap((name) => {
    const [p, q] = [a[name] ?? [], b[name] ?? []];
    return p.length === q.length ? p.map((_, i) => between(p[i], q[i])) : [1];
  });
  return parts.reduce((sum, part) => sum + part, 0);
}

/** Of the cases, the one that is most like the wanted one, and how they differ, in words. */
export function similarCase(wanted: Subject, cases: readonly Subject[]): { subject: Subject; words: string } {
  const facts = geometryOf(wanted);
  const name = wanted.caseName;
  const found = cases
    .map((subject) => ({ subject, far: distance(facts, geometryOf(subject)), isNamed: subject.caseName === name })) // prettier-ignore
    .sort((p, q) => Number(q.far === 0) - Number(p.far === 0) || Number(q.isNamed) - Number(p.isNamed) || p.far - q.far); // prettier-ignore
  const [{ subject, far, isNamed }] = found;
  const { kernelName, caseName } = subject;
  if (isNamed) return { subject, words: far === 0 ? `The case stays: ${name}.` : `The case keeps its name, ${name}, with other sizes: those of ${kernelName}.` }; // prettier-ignore
  return {
    subject,
    words:
      far === 0
        ? `The sizes stay. This case of ${kernelName} is named ${caseName}.`
        : `${kernelName} has no case ${name}. The nearest one is ${caseName}.`,
  };
}
