/**
 * Replaces tfjs's kernels and gradients with the plugin's, and restores them.
 *
 * Kernels are registered for each backend, gradients once for all backends. A gradient of ours therefore first asks the
 * registry whether the kernel of the active backend is ours. If it is not, the gradient calls the built-in gradient
 * that it replaced.
 *
 * The registry is the only truth, because others may change it too:
 *   - Others may replace kernels. A second copy of a backend's package replaces all: then ours are put back.
 *   - A later import of tfjs-layers registers the built-in gradients again. So each forward kernel of ours registers
 *     its own gradient again when it runs. The engine looks the gradient up after the kernel has run.
 *   - A second copy of the plugin may have been installed above or below this one. Each leaves a note on what it registers.
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
import { checkKnown, readOptions, shown } from '../kernels/known.js';
import {
  DROP_IN_ATTRS,
  FUSED_GRADIENTS,
  gradients,
  kernelNamesIn,
  type KernelName,
  type KernelTable,
  leftToBuiltin,
  OP_NAMES,
  type OpName,
} from '../kernels/registry.js';
import { offerGradient } from '../kernels/runtime/gradients.js';
import type { Kernel } from '../kernels/runtime/tensors.js';
import { broughtGradient } from '../kernels/runtime/tfjs_gradients.js';
import { onSecondCopy } from './second_copy.js';
import { copies, kindOf, remember, servedNames, tableOf } from './served.js';
import { warnIfUntested } from './tfjs_version.js';

export interface InstallOptions {
  /**
   * Names of the backends to install on: 'cpu', 'wasm', 'webgl', or the name of a copy of one of them, such as React Native's
   * 'rn-webgl'. Default: all that the imported entry serves, and all copies. A backend that is registered later gets the kernels when
   * it is set.
   */
  backends?: readonly string[];
  /**
   * Names of the ops whose kernels and gradients to replace: 'conv2d', 'depthwiseConv2d', 'maxPool', 'avgPool'; on `cpu` and
   * `wasm` 'matMul', 'batchNorm', 'elementwise' and 'sum' (on `wasm` the gradients of relu, relu6 and clipByValue, and sums over the
   * first dimensions); on `wasm` 'identity'. Default: all. tfjs's own serve the others.
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
  /** Those of them in whose place the plugin's kernels serve now. Others may have replaced some since. */
  readonly active: readonly Replaced[];
  /**
   * Restores the kernels and gradients that were there before, unless another installation still needs the plugin. A
   * second call does nothing.
   */
  uninstall(): void;
}

/** What an installation asked for. */
interface Asked {
  /** Undefined: all. */
  backends: readonly string[] | undefined;
  ops: readonly OpName[];
}

const asksFor = ({ backends }: Asked, backendName: string) => backends?.includes(backendName) ?? true;

/** Those that have not been undone. */
const installations = new Map<Installation, Asked>();
/** By backend and kernel: the config of ours that was registered last. Its note has what it replaced. */
const kernelConfigs = new Map<string, Map<KernelName, KernelConfig>>();
const gradientConfigs = new Map<string, GradConfig>();
const ourKernels = new WeakSet<KernelFunc>();
const ourGradients = new Map(gradients('').map((config) => [config.kernelName, delegating(config)]));
let endWatch = () => {};

/**
 * Replaces tfjs's kernels and their gradients with the plugin's: all of them, or those of the backends and ops that the options
 * name. It may be called before or after a backend is registered or set, and more than once.
 * @throws Error, and changes nothing, if an option is not known or is no array, or names a backend or an op that the plugin does not
 *   have
 */
export function install(options: InstallOptions = {}): Installation {
  const given = readOptions('install()', options, ['backends', 'ops']);
  const backends =
    given.backends === undefined
      ? undefined
      : known('backends', given.backends, [...servedNames(), ...copies()]);
  const ops = given.ops === undefined ? OP_NAMES : known('ops', given.ops, OP_NAMES);
  warnIfUntested();
  const replaced: Replaced[] = [];
  const installation = {
    replaced,
    get active() {
      return replaced.filter(({ kernelName, backendName }) => isOurs(kernelName, backendName));
    },
    uninstall: () => uninstall(installation),
  };
  if (installations.size === 0) endWatch = onSecondCopy(putBack);
  installations.set(installation, { backends, ops });
  for (const { kernelName } of gradients('', ops)) keepGradient(kernelName);
  for (const backendName of backends ?? [...servedNames(), ...copies()]) {
    watch(backendName);
    if (engine().findBackendFactory(backendName)) {
      swapIn(backendName, replaced, kernelNamesIn(tableOf(backendName)!, ops));
    }
  }
  return installation;
}

function uninstall(installation: Installation): void {
  installations.delete(installation);
  if (installations.size === 0) endWatch();
  [...kernelConfigs.keys()].forEach(swapOut);
  unwatch();
  restoreGradients();
}

/** The names that an option gives, once each. */
function known<Name extends string>(
  option: string,
  names: readonly string[],
  all: readonly Name[],
): readonly Name[] {
  if (!Array.isArray(names)) {
    throw new Error(
      `tfjs-convgrad: ${option} is ${shown(names)}, but it must be an array of these: ${all.join(', ')}.`,
    );
  }
  for (const name of names) checkKnown(`${option} names`, name, all);
  return [...new Set(names)] as Name[];
}

/** The kernels of a backend that installations want ours for. */
function wantedOn(backendName: string): Set<KernelName> {
  const table = tableOf(backendName);
  const wanting = [...installations.values()].filter((asked) => asksFor(asked, backendName));
  return new Set(wanting.flatMap(({ ops }) => (table ? kernelNamesIn(table, ops) : [])));
}

/** The gradients that installations want ours for. */
function wantedGradients(): Set<string> {
  const ops = [...installations.values()].flatMap(({ ops }) => ops);
  return new Set(gradients('', ops).map(({ kernelName }) => kernelName));
}

/**
 * By backend: the name of a kernel that never runs. tfjs calls its setupFunc when the backend is set. More kernels of the backend may
 * have been registered by then.
 */
const watches = new Map<string, string>();

function isWatched(backendName: string): boolean {
  const kernelName = watches.get(backendName);
  return kernelName !== undefined && getKernel(kernelName, backendName) !== undefined;
}

function watch(backendName: string): void {
  if (isWatched(backendName)) return;
  let kernelName = 'ConvgradWatch';
  while (getKernel(kernelName, backendName)) kernelName += "'"; // that of another copy of the plugin
  watches.set(backendName, kernelName);
  registerKernel({
    kernelName,
    backendName,
    kernelFunc: () => [],
    // A copy of the backend has a copy of this kernel.
    setupFunc: () => swapInBuiltins(engine().backendName),
  });
}

/** Forgets the backends that no installation wants any more. */
function unwatch(): void {
  for (const [backendName, kernelName] of watches) {
    if ([...installations.values()].some((asked) => asksFor(asked, backendName))) continue;
    if (isWatched(backendName)) unregisterKernel(kernelName, backendName);
    watches.delete(backendName);
  }
}

/**
 * Runs when a backend is set: replaces the built-in kernels that were registered since. A kernel that others registered
 * in place of ours is left alone.
 */
function swapInBuiltins(backendName: string): void {
  const configs = kernelConfigs.get(backendName);
  swapInWhere(
    backendName,
    (name) => !configs?.has(name) || below(configs.get(name)) === getKernel(name, backendName),
  );
}

/** A second copy of the backend's package has replaced our kernels: puts them back, in place of its kernels. */
function putBack(backendName: string): void {
  swapInWhere(backendName, (name) => kernelConfigs.get(backendName)?.has(name) ?? false);
}

/** Replaces those kernels of the backend that an installation wants, and that are as they should be. */
function swapInWhere(backendName: string, isFit: (kernelName: KernelName) => boolean): void {
  const table = tableOf(backendName);
  if (!table) return;
  for (const [{ replaced }, asked] of installations) {
    if (!asksFor(asked, backendName)) continue;
    swapIn(backendName, replaced as Replaced[], kernelNamesIn(table, asked.ops).filter(isFit));
  }
}

function swapIn(backendName: string, replaced: Replaced[], kernelNames: readonly KernelName[]): void {
  const [table, kind] = [tableOf(backendName)!, kindOf(backendName)!];
  const configs = kernelConfigs.get(backendName) ?? new Map<KernelName, KernelConfig>();
  kernelConfigs.set(backendName, configs);
  for (const kernelName of kernelNames) {
    if (isOurs(kernelName, backendName)) continue;
    const builtin = getKernel(kernelName, backendName);
    if (builtin) {
      remember(builtin, kind);
      unregisterKernel(kernelName, backendName);
    }
    const ours = { ...builtin, kernelName, backendName, kernelFunc: dropIn(kernelName, table, builtin) };
    remember(ours, kind);
    leaveNote(ours, builtin, configs.get(kernelName));
    configs.set(kernelName, ours);
    registerKernel(ours);
    const isListed = replaced.some((r) => r.kernelName === kernelName && r.backendName === backendName);
    if (!isListed) replaced.push({ kernelName, backendName });
  }
}

/** Restores the kernels of the backend that no installation wants any more. */
function swapOut(backendName: string): void {
  const wanted = wantedOn(backendName);
  const configs = kernelConfigs.get(backendName)!;
  for (const [kernelName, ours] of configs) {
    if (wanted.has(kernelName)) continue;
    configs.delete(kernelName);
    noteOf(ours)!.isGone = true;
    if (!isOurs(kernelName, backendName)) continue;
    unregisterKernel(kernelName, backendName);
    const builtin = below(ours);
    if (builtin) registerKernel(builtin);
  }
  if (configs.size === 0) kernelConfigs.delete(backendName);
}

function isOurs(kernelName: string, backendName: string): boolean {
  const kernel = getKernel(kernelName, backendName);
  return kernel !== undefined && ourKernels.has(kernel.kernelFunc);
}

/** @param builtin what the kernel replaces. A copy of the kernel on another backend outlasts the installation, and needs it still. */
function dropIn(kernelName: KernelName, table: KernelTable, builtin: KernelConfig | undefined): KernelFunc {
  const kernel = table.kernels[kernelName] as Kernel;
  const fused = FUSED_GRADIENTS[kernelName];
  const added = DROP_IN_ATTRS[kernelName];
  const isLeft = builtin && leftToBuiltin(table, kernelName);
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
  if (!ours || current?.gradFunc === ours.gradFunc || !wantedGradients().has(kernelName)) return;
  const config = { ...ours };
  leaveNote(config, current, gradientConfigs.get(kernelName));
  gradientConfigs.set(kernelName, config);
  if (current) unregisterGradient(kernelName);
  registerGradient(config);
}

/** Restores the gradients that no installation wants any more. */
function restoreGradients(): void {
  const wanted = wantedGradients();
  for (const [kernelName, ours] of gradientConfigs) {
    if (wanted.has(kernelName)) continue;
    gradientConfigs.delete(kernelName);
    noteOf(ours)!.isGone = true;
    if (getGradient(kernelName)?.gradFunc !== ours.gradFunc) continue;
    unregisterGradient(kernelName);
    const builtin = below(ours);
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
      const { backendName } = engine();
      if (!isOurs(kernelName, backendName)) swapInCopy(backendName);
      if (isOurs(kernelName, backendName)) return ours.gradFunc(dy, saved, attrs);
      const builtin = below(gradientConfigs.get(kernelName)) ?? broughtGradient(kernelName);
      if (!builtin) {
        throw new Error(
          `tfjs-convgrad: ${kernelName} has no gradient on backend '${backendName}': ` +
            'the plugin is not installed there, and tfjs has none.',
        );
      }
      return builtin.gradFunc(dy, saved, attrs);
    },
  };
}

/** A copy of a served backend that came after the installation, with kernels copied before it, gets ours at its first gradient. */
function swapInCopy(backendName: string): void {
  if (copies().includes(backendName)) swapInBuiltins(backendName);
}

/** What the plugin leaves on a config that it registers, for itself and for other copies of the plugin. */
interface Note<Config> {
  /** What was registered before. */
  below: Config | undefined;
  /** The copy of the plugin that registered it has taken it back, or registered another one since. */
  isGone: boolean;
}
const NOTE = Symbol.for('tfjs-convgrad');

/** @param earlier the config of ours in whose place this one comes */
function leaveNote<Config extends object>(
  config: Config,
  replaced: Config | undefined,
  earlier: Config | undefined,
): void {
  if (earlier) noteOf(earlier)!.isGone = true;
  below(replaced); // chains stay short
  Object.defineProperty(config, NOTE, { value: { below: replaced, isGone: false } });
}

function noteOf<Config extends object>(config: Config | undefined): Note<Config> | undefined {
  return (config as { [NOTE]?: Note<Config> } | undefined)?.[NOTE];
}

/** What a config of ours has replaced. It forgets those that copies of the plugin have taken back since. */
function below<Config extends object>(ours: Config | undefined): Config | undefined {
  const note = noteOf(ours);
  while (noteOf(note?.below)?.isGone) note!.below = noteOf(note!.below)!.below;
  return note?.below;
}
