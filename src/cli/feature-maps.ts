/**
 * Worked example D on digits, with two 3x3 filters, 'valid' and relu. It has two parts: the two feature maps of the
 * first digit, and the backward pass on ten digits.
 */
import { grads, sum, type Tensor, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { conv2d } from '../index.js';
import * as numeric from '../numeric.js';
import { compare } from '../verify/exact.js';
import { type Digits, SIDE } from './mnist.js';
import type { Example } from './worked-examples.js';

export interface FeatureMap {
  title: string;
  width: number;
  height: number;
  values: number[];
}

/** Sobel filters for edges between left and right and for edges between above and below. Together [3, 3, 1, 2]. */
const LEFT_RIGHT = [1, 0, -1, 2, 0, -2, 1, 0, -1];
const ABOVE_BELOW = [1, 2, 1, 0, 0, 0, -1, -2, -1];
const FILTERS = LEFT_RIGHT.flatMap((value, i) => [value, ABOVE_BELOW[i]]);

export function featureMaps(digits: Digits): FeatureMap[] {
  const y = tidy(() => forward(imagesOf(digits, 1), tensor4d(FILTERS, [3, 3, 1, 2])).dataSync());
  const size = SIDE - 2;
  return [
    {
      title: `digit ${digits.labels[0]}`,
      width: SIDE,
      height: SIDE,
      values: [...digits.images.subarray(0, SIDE * SIDE)],
    },
    { title: 'filter, left to right', width: 3, height: 3, values: LEFT_RIGHT },
    {
      title: 'left-right edges, relu',
      width: size,
      height: size,
      values: [...y.filter((_, i) => i % 2 === 0)],
    },
    { title: 'filter, above to below', width: 3, height: 3, values: ABOVE_BELOW },
    {
      title: 'above-below edges, relu',
      width: size,
      height: size,
      values: [...y.filter((_, i) => i % 2 === 1)],
    },
  ];
}

/** The filter and image gradients of sum(relu(conv2d(ten digits))). They must equal those of the float64 definition. */
export function backwardOnTenDigits(digits: Digits): Example {
  const count = 10;
  const [dx, dFilter] = tidy(() => {
    const f = (x: Tensor, filter: Tensor) => sum(forward(x, filter));
    const [dx, dFilter] = grads(f)([imagesOf(digits, count), tensor4d(FILTERS, [3, 3, 1, 2])]);
    return [dx.dataSync(), dFilter.dataSync()];
  });
  const want = definition(digits, count);
  const ok = compare(dFilter, want.dFilter).error === 0 && compare(dx, want.dx).error === 0;
  return {
    id: 'D5',
    title: 'ten digits, two filters, relu: dx and dFilter equal the definition',
    got: `dx [${dx.length}], dFilter [${dFilter.length}], ${ok ? 'equal' : 'different'}`,
    want: `dx [${count * SIDE * SIDE}], dFilter [18], equal`,
    ok,
  };
}

function forward(x: Tensor, filter: Tensor): Tensor {
  return conv2d(x as Tensor<never>, filter as Tensor<never>, { activation: 'relu' });
}

function imagesOf(digits: Digits, count: number): Tensor {
  return tensor4d(greys(digits, count), [count, SIDE, SIDE, 1]);
}

/**
 * Whole numbers from 0 to 255. Each sum here is exact, so all implementations meet relu's kink at the same elements.
 */
function greys(digits: Digits, count: number): Float32Array {
  return digits.images.slice(0, count * SIDE * SIDE).map((value) => Math.round(value * 255));
}

function definition(digits: Digits, count: number) {
  const { conv2d, conv2dBackpropFilter, conv2dBackpropInput } = numeric.conv2dDefinition;
  const g = numeric.convGeometry([count, SIDE, SIDE, 1], [3, 3, 1, 2]);
  const x = Float64Array.from(greys(digits, count));
  const filter = Float64Array.from(FILTERS);
  const z = new Float64Array(count * (SIDE - 2) ** 2 * 2);
  conv2d(x, filter, g, z);
  const dz = z.map((value) => numeric.activations.relu.slope(value));
  const dx = new Float64Array(x.length);
  const dFilter = new Float64Array(filter.length);
  conv2dBackpropInput(dz, filter, g, dx);
  conv2dBackpropFilter(x, dz, g, dFilter);
  return { dx, dFilter };
}
