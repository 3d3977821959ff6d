/** Has a task done in a thread of Node: see thread.ts. */
import { Worker } from 'node:worker_threads';
import { aborted } from './browser.js';
import type { AnyTask } from './task.js';

/** @param quiet whether what a user's module prints goes to standard error */
export async function inThread<Message extends object>(
  task: AnyTask,
  onMessage: (message: Message) => void,
  signal: AbortSignal,
  quiet: boolean,
): Promise<void> {
  const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: task, stdout: quiet });
  if (quiet) worker.stdout.pipe(process.stderr);
  const done = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: Message | { done: true }) => {
      if ('done' in message) return resolve();
      try {
        onMessage(message);
      } catch (error) {
        reject(error as Error);
      }
    });
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`The run ended early: something ended its thread, with exit code ${code}.`)),
    );
  });
  try {
    await Promise.race([done, aborted(signal)]);
  } finally {
    await worker.terminate();
  }
}
