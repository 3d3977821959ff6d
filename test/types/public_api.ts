/** Uses of the public API that must compile, and uses that must not. The type checker is the test. This file never runs. */
import type { Tensor, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import { expectTypeOf } from 'expect-type';
import {
  avgPool,
  type BackendInfo,
  backendInfo,
  configure,
  conv2d,
  install,
  type Installation,
  maxPool,
  startSharedWasm,
} from '../../src/index.js';
import * as numeric from '../../src/numeric.js';
import {
  assertGradients,
  checkAdjoint,
  compareKernels,
  definition,
  gradCheck,
  type GradReport,
  kernel,
  type KernelComparison,
} from '../../src/verify/index.js';
import { matchers as jasmineMatchers } from '../../src/verify/jasmine.js';
import { matchers as jestMatchers } from '../../src/verify/jest.js';

declare const image: Tensor3D;
declare const batch: Tensor4D;
declare const filter: Tensor4D;
declare const any: Tensor;

// Ops keep the rank of x

expectTypeOf(conv2d(batch, filter)).toEqualTypeOf<Tensor4D>();
expectTypeOf(conv2d(image, filter)).toEqualTypeOf<Tensor3D>();
expectTypeOf(maxPool(image, 3)).toEqualTypeOf<Tensor3D>();
expectTypeOf(avgPool(batch, [3, 2])).toEqualTypeOf<Tensor4D>();

conv2d(batch, filter, {
  strides: [1, 2],
  pad: [[0, 0], [1, 2], [0, 1], [0, 0]], // prettier-ignore
  dilations: 2,
  groups: 4,
  bias: any,
  activation: 'prelu',
  preluActivationWeights: [0.1, 0.2],
  leakyreluAlpha: 0.1,
  dataFormat: 'NCHW',
  dimRoundingMode: 'exact',
});
maxPool(batch, 3, { strides: 2, pad: 1, dilations: 2, dataFormat: 'NCHW', dimRoundingMode: 'ceil' });
avgPool(batch, 3, { countIncludePad: true });

// @ts-expect-error the option is called strides
conv2d(batch, filter, { stride: 2 });
// @ts-expect-error the option is called pad
conv2d(batch, filter, { padding: 'same' });
// @ts-expect-error options are an object, not tf.conv2d's positional arguments
conv2d(batch, filter, 2, 'same');
// @ts-expect-error no such activation
conv2d(batch, filter, { activation: 'swish' });
// @ts-expect-error no such layout
conv2d(batch, filter, { dataFormat: 'CHWN' });
// @ts-expect-error a filter has four dimensions
conv2d(batch, image);
// @ts-expect-error only averages count padding
maxPool(batch, 3, { countIncludePad: true });
// @ts-expect-error only the kernels that replace tfjs's have this rule
avgPool(batch, 3, { identityIf1x1: true });
// @ts-expect-error a window is needed
maxPool(batch);

// install, configure, backendInfo, startSharedWasm

expectTypeOf(install()).toEqualTypeOf<Installation>();
expectTypeOf(install({ backends: ['cpu'] }).uninstall).returns.toBeVoid();
expectTypeOf(backendInfo()).toEqualTypeOf<BackendInfo>();
configure({ cpu: { path: 'im2col', winograd: 0 } });
// @ts-expect-error backends are a list
install({ backends: 'cpu' });
// @ts-expect-error the option is called backends
install({ backend: 'cpu' });
// @ts-expect-error not an options object
install('cpu');
// @ts-expect-error no such path
configure({ cpu: { path: 'fast' } });
// @ts-expect-error no such tile
configure({ cpu: { winograd: 3 } });
// @ts-expect-error nothing can be chosen there
configure({ gpu: {} });
// @ts-expect-error options are needed
configure();
expectTypeOf(startSharedWasm(wasm)).toEqualTypeOf<Promise<void>>();
// @ts-expect-error the package is needed
void startSharedWasm();
// @ts-expect-error not the name of a backend
void startSharedWasm('wasm');

// numeric

const g = numeric.convGeometry([1, 3, 3, 1], [2, 2, 1, 1], { strides: 1, pad: 'valid' });
expectTypeOf(g).toEqualTypeOf<numeric.ConvGeometry>();
expectTypeOf(g.outShape).toEqualTypeOf<readonly number[]>();
expectTypeOf(numeric.conv2d(new Float64Array(9), new Float64Array(4), g, new Float64Array(4))).toBeVoid();
// @ts-expect-error results are written to typed arrays
numeric.conv2d([1], new Float32Array(4), g, new Float32Array(4));
// @ts-expect-error geometry is computed, not changed
g.inHeight = 4;
// @ts-expect-error a pooling's geometry is no convolution's
numeric.conv2d(new Float64Array(9), new Float64Array(4), numeric.poolGeometry([1, 3, 3, 1], 2), new Float64Array(4)); // prettier-ignore

// verify

const f = (x: Tensor) => x.square();
expectTypeOf(gradCheck(f, [any])).resolves.toEqualTypeOf<GradReport>();
expectTypeOf<GradReport['verdict']>().toEqualTypeOf<'right' | 'wrong' | 'unsure'>();
expectTypeOf(checkAdjoint(f, [any], { exact: true })).resolves.toEqualTypeOf<GradReport>();
assertGradients(f, [any], { order: 2, seed: 7 });
// @ts-expect-error no such option
gradCheck(f, [any], { tolerance: 1 });
// @ts-expect-error no such order
gradCheck(f, [any], { order: 3 });
// @ts-expect-error inputs are a list
gradCheck(f, any);
expectTypeOf(compareKernels).returns.resolves.toEqualTypeOf<KernelComparison>();
expectTypeOf(compareKernels).parameter(1).exclude<undefined>().toEqualTypeOf(kernel('Conv2D'));
expectTypeOf(definition).parameter(0).returns.toEqualTypeOf<Float64Array>();
expectTypeOf(jasmineMatchers).toHaveProperty('toHaveCorrectGradient');
expectTypeOf(jestMatchers).toHaveProperty('toHaveCorrectGradient');
