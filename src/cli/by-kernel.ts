/** Where the time of some work goes, kernel by kernel, on cpu and wasm, whose kernels are done when they return. */
import * as tf from '@tensorflow/tfjs-core';

export interface KernelTime {
  kernelName: string;
  calls: number;
  milliseconds: number;
}

/** Kernels of less than this share of all are summed up in what is printed. */
export const SMALL_SHARE = 0.02;

/** The kernels that `work` runs on the active backend, the slowest first. tfjs's profiler measures them. */
export async function timeByKernel(work: () => Promise<unknown>): Promise<KernelTime[]> {
  const checks = tf.env().get('CHECK_COMPUTATION_FOR_ERRORS');
  tf.env().set('CHECK_COMPUTATION_FOR_ERRORS', false); // otherwise the profiler reads every result
  const profiled = async () => {
    await work();
    return [];
  };
  const { kernels } = await tf.profile(profiled).finally(() => {
    tf.env().set('CHECK_COMPUTATION_FOR_ERRORS', checks);
    tf.engine().state.profiling = false; // tfjs goes on profiling if the work throws
  });
  const times = new Map<string, KernelTime>();
  for (const { name, kernelTimeMs } of kernels) {
    if (!tf.getKernel(name, tf.getBackend())) continue; // an op that has kernels of its own
    const time = times.get(name) ?? { kernelName: name, calls: 0, milliseconds: 0 };
    time.calls++;
    time.milliseconds += (await kernelTimeMs) as number;
    times.set(name, time);
  }
  return [...times.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}
