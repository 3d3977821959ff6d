/** Options for how the kernels compute, and a report of how they do. */
import { configureCpu, type CpuInfo, cpuInfo, type CpuOptions } from '../kernels/runtime/options.js';

/** Options of each backend. */
export interface BackendOptions {
  /** The kernels on wasm follow these, too. */
  cpu?: CpuOptions;
}

/** How each backend computes. */
export interface BackendInfo {
  /** Of the kernels on cpu and on wasm. */
  cpu: CpuInfo;
}

/**
 * Changes how the kernels compute, from their next run on, whether they are installed or not. Options that are not
 * given keep their values.
 * @throws Error, and changes nothing, if an option's value is not allowed, or if this engine cannot run the path. The
 *   error names the option, its value and the allowed values, or the reason.
 */
export function configure({ cpu = {} }: BackendOptions): void {
  configureCpu(cpu);
}

/** Says which implementation serves on each backend, and why a faster one does not. */
export function backendInfo(): BackendInfo {
  return { cpu: cpuInfo() };
}
