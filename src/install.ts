/**
 * Replaces tfjs's kernels and gradients with the plugin's, and restores them.
 *
 * Kernels are registered for each backend, gradients once for all backends. A gradient of ours therefore first asks the
 * registry whether the kernel of the active backend is ours. If it is not, the gradient calls the built-in gradient
 * that it replaced.
 *
 * The registry is the only truth, because others may change it too:
 *   - Others may replace kernels.
 *   - A later import of tfjs-layers registers the built-in gradients again. So each forward kernel of ours registers
 *     its own gradient again when it runs. The engine looks the gradient up after the kernel has run.
 */
import {
  engine,
  getGradient,
  getKernel,
  type GradConfig,
  type KernelConfig,
  type KernelFunc,
  registerGradient,
  registerKernel,
  type TensorInfo,
  unregisterGradient,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import {
  type BackendName,
  BACKENDS,
  DROP_IN_ATTRS,
  FUSED_GRADIENTS,
  gradients,
  kernelNamesOn,
  type KernelName,
  KERNELS,
  leftToBuiltin,
  OP_NAMES,
  type OpName,
} from '../kernels/registry.js';
import { offerGradient } from '../kernels/runtime/gradients.js';
import type { Kernel } from '../kernels/runtime/tensors.js';

export interface InstallOptions {
  /**
   * Names of the backends to install on. Default: all that the plugin supports. A backend that is registered later gets
   * the kernels when it is set.
   */
  backends?: readonly string[];
  /**
   * Names of the ops whose kernels and gradients to replace: 'conv2d', 'depthwiseConv2d', 'maxPool', 'avgPool', on `cpu` and
   * `wasm` 'matMul' and 'batchNorm', and on `cpu` 'elementwise' and 'sum'. Default: all. tfjs's own serve the others.
   */
  ops?: readonly string[];
}

/** A kernel that `install` has replaced. */
export interface Replaced {
  kernelName: string;
  backendName: string;
}

/** The result of a call of `install`. */
export interface Installation {
  /** The kernels that this call has replaced so far. The list grows when a backend is registered later. */
  readonly replaced: readonly Replaced[];
  /**
   * Restores the kernels and gradients that were there before, unless another installation still needs the plugin. A
   * second call does nothing.
   */
  uninstall(): void;
}

/** What an installation asked for. */
interface Asked {
  backends: readonly BackendName[];
  ops: readonly OpName[];
}

/** Those that have not been undone. */
const installations = new Map<Installation, Asked>();
/** 'backend kernel' -> the config that our kernel replaced, or undefined if there was none. */
const builtinKernels = new Map<string, KernelConfig | undefined>();
const builtinGradients = new Map<string, GradConfig | undefined>();
const ourKernels = new WeakSet<KernelFunc>();
const ourGradients = new Map(gradients('').map((config) => [config.kernelName, delegating(config)]));

/**
 * Replaces tfjs's kernels and their gradients with the plugin's: all of them, or those of the backends and ops that the options
 * name. It may be called before or after a backend is registered or set, and more than once.
 * @throws Error, and changes nothing, if an option is no array, or names a backend or an op that the plugin does not have
 */
export function install(options: InstallOptions = {}): Installation {
  const backends = known('backends', options.backends, BACKENDS);
  const ops = known('ops', options.ops, OP_NAMES);
  const replaced: Replaced[] = [];
  const installation = { replaced, uninstall: () => uninstall(installation) };
  installations.set(installation, { backends, ops });
  for (const { kernelName } of gradients('', ops)) keepGradient(kernelName);
  for (const backendName of backends) {
    watch(backendName);
    if (engine().findBackendFactory(backendName)) {
      swapIn(backendName, replaced, kernelNamesOn(backendName, ops));
    }
  }
  return installation;
}

function uninstall(installation: Installation): void {
  const { backends } = installations.get(installation) ?? { backends: [] };
  installations.delete(installation);
  backends.forEach(swapOut);
  restoreGradients();
}

/** The names that an option gives, once each. All there are if it is not given. */
function known<Name extends string>(
  option: string,
  names: readonly string[] | undefined,
  all: readonly Name[],
): readonly Name[] {
  if (names === undefined) return all;
  if (!Array.isArray(names)) {
    throw new Error(
      `tfjs-convgrad: ${option} is ${names}, but it must be an array of these: ${all.join(', ')}.`,
    );
  }
  for (const name of names) {
    if (!(all as readonly string[]).includes(name)) {
      throw new Error(
        `tfjs-convgrad: ${option} names '${name}', but only these are supported: ${all.join(', ')}.`,
      );
    }
  }
  return [...new Set(names)] as Name[];
}

/** The kernels of a backend that installations want ours for. */
function wantedOn(backendName: BackendName): Set<KernelName> {
  const wanting = [...installations.values()].filter(({ backends }) => backends.includes(backendName));
  return new Set(wanting.flatMap(({ ops }) => kernelNamesOn(backendName, ops)));
}

/** The gradients that installations want ours for. */
function wantedGradients(): Set<string> {
  const ops = [...installations.values()].flatMap(({ ops }) => ops);
  return new Set(gradients('', ops).map(({ kernelName }) => kernelName));
}

/**
 * A kernel that never runs. tfjs calls its setupFunc when the backend is set. More kernels of the backend may have been
 * registered by then.
 */
const WATCH = 'ConvgradWatch';

function watch(backendName: BackendName): void {
  if (getKernel(WATCH, backendName)) return;
  registerKernel({
    kernelName: WATCH,
    backendName,
    kernelFunc: () => [],
    setupFunc: () => swapInBuiltins(backendName),
  });
}

/**
 * Runs when a backend is set: replaces the built-in kernels that were registered since. A kernel that others registered
 * in place of ours is left alone.
 */
function swapInBuiltins(backendName: BackendName): void {
  const isNew = (kernelName: KernelName) => {
    const key = `${backendName} ${kernelName}`;
    return !builtinKernels.has(key) || builtinKernels.get(key) === getKernel(kernelName, backendName);
  };
  for (const [{ replaced }, { backends, ops }] of installations) {
    if (!backends.includes(backendName)) continue;
    swapIn(backendName, replaced as Replaced[], kernelNamesOn(backendName, ops).filter(isNew));
  }
}

function swapIn(backendName: BackendName, replaced: Replaced[], kernelNames: readonly KernelName[]): void {
  for (const kernelName of kernelNames) {
    if (isOurs(kernelName, backendName)) continue;
    const builtin = getKernel(kernelName, backendName);
    if (builtin) unregisterKernel(kernelName, backendName);
    builtinKernels.set(`${backendName} ${kernelName}`, builtin);
    registerKernel({
      ...builtin,
      kernelName,
      backendName,
      kernelFunc: dropIn(kernelName, backendName, builtin),
    });
    replaced.push({ kernelName, backendName });
  }
}

/** Restores the kernels of the backend that no installation wants any more. */
function swapOut(backendName: BackendName): void {
  const wanted = wantedOn(backendName);
  for (const kernelName of kernelNamesOn(backendName)) {
    if (wanted.has(kernelName) || !isOurs(kernelName, backendName)) continue;
    const key = `${backendName} ${kernelName}`;
    const builtin = builtinKernels.get(key);
    builtinKernels.delete(key);
    unregisterKernel(kernelName, backendName);
    if (builtin) registerKernel(builtin);
  }
  if (wanted.size === 0 && getKernel(WATCH, backendName)) unregisterKernel(WATCH, backendName);
}

function isOurs(kernelName: string, backendName: string): boolean {
  const kernel = getKernel(kernelName, backendName);
  return kernel !== undefined && ourKernels.has(kernel.kernelFunc);
}

/** @param builtin what the kernel replaces. A copy of the kernel on another backend outlasts the installation, and needs it still. */
function dropIn(
  kernelName: KernelName,
  backendName: BackendName,
  builtin: KernelConfig | undefined,
): KernelFunc {
  const kernel = KERNELS[kernelName][backendName] as Kernel;
  const fused = FUSED_GRADIENTS[kernelName];
  const added = DROP_IN_ATTRS[kernelName];
  const isLeft = builtin && leftToBuiltin(kernelName, backendName);
  const kernelFunc: KernelFunc = (args) => {
    keepGradient(kernelName);
    const inputs = args.inputs as Record<string, TensorInfo>;
    const given = args.attrs ?? {};
    if (isLeft?.(inputs, given)) return builtin!.kernelFunc(args);
    const attrs = added ? { ...added, ...given } : given;
    const result = kernel({ inputs, attrs, backend: args.backend });
    if (fused) offerGradient(fused, attrs, ourGradients.get(fused.unfused)!.gradFunc);
    return result;
  };
  ourKernels.add(kernelFunc);
  return kernelFunc;
}

/** Registers our gradient of the kernel, if it is wanted, and is not the registered one. */
function keepGradient(kernelName: string): void {
  const ours = ourGradients.get(kernelName);
  const current = getGradient(kernelName);
  if (ours === undefined || current === ours || !wantedGradients().has(kernelName)) return;
  builtinGradients.set(kernelName, current);
  if (current) unregisterGradient(kernelName);
  registerGradient(ours);
}

/** Restores the gradients that no installation wants any more. */
function restoreGradients(): void {
  const wanted = wantedGradients();
  for (const [kernelName, ours] of ourGradients) {
    if (wanted.has(kernelName) || getGradient(kernelName) !== ours) continue;
    unregisterGradient(kernelName);
    const builtin = builtinGradients.get(kernelName);
    if (builtin) registerGradient(builtin);
  }
}

/**
 * Our gradient if the active backend's kernel is ours, otherwise the built-in gradient. Both save the same tensors for
 * the backward pass.
 */
function delegating(ours: GradConfig): GradConfig {
  const { kernelName } = ours;
  return {
    ...ours,
    gradFunc: (dy, saved, attrs) => {
      if (isOurs(kernelName, engine().backendName)) return ours.gradFunc(dy, saved, attrs);
      const builtin = builtinGradients.get(kernelName);
      if (!builtin) {
        throw new Error(
          `tfjs-convgrad: ${kernelName} has no gradient on backend '${engine().backendName}': ` +
            'the plugin is not installed there, and tfjs has none.',
        );
      }
      return builtin.gradFunc(dy, saved, attrs);
    },
  };
}
