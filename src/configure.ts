/** How the kernels compute: what may be chosen, and what was. */
import { configureCpu, type CpuInfo, cpuInfo, type CpuOptions } from '../kernels/runtime/options.js';

export interface BackendOptions {
  cpu?: CpuOptions;
}

export interface BackendInfo {
  cpu: CpuInfo;
}

/**
 * Changes how the kernels compute, installed or not, from their next run on; what is not given stays.
 * @throws Error naming what cannot be had, before anything is changed
 */
export function configure({ cpu = {} }: BackendOptions): void {
  configureCpu(cpu);
}

/** Which implementation serves on each backend, and why not a faster one. */
export function backendInfo(): BackendInfo {
  return { cpu: cpuInfo() };
}
