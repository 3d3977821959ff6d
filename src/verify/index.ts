/**
 * tfjs-convgrad/verify checks whether the gradient of a tfjs function is right, and whether a kernel is right. It runs
 * on the active backend, and needs nothing but tfjs-core.
 */
export { type AdjointOptions, checkAdjoint } from './adjoint.js';
export { checkModel, type CheckModelOptions } from './check-model.js';
export {
  compareKernels,
  definition,
  type GivenCase,
  type Implementation,
  kernel,
  type KernelCase,
  type KernelComparison,
  type Loss,
  type Values,
} from './compare-kernels.js';
export type { Worst } from './exact.js';
export type { Differentiable } from './flat.js';
export { assertGradients, gradCheck, type GradCheckOptions } from './grad-check.js';
export type { GradReport, Place, Verdict } from './grad-report.js';
export type { WorstElement } from './model/compare.js';
export type {
  Contribution,
  FirstNonFinite,
  ModelOp,
  ModelOutput,
  ModelParameter,
  ModelReport,
  ModelSlope,
} from './model/model-report.js';
export type { Phase } from './model/record.js';
export type {
  GraphModelLike,
  LayersModelLike,
  Model,
  ModelFunction,
  ModelInputs,
  ModelLoss,
} from './model/runner.js';
