/** What a command hands to the thread or the page that does the work. What comes back of `compare` is here, too. */
import type { BackendName } from '../../kernels/registry.js';
import type { ModelTask } from './model/task.js';
import type { Asked, CompareMessage, Name } from './run-comparisons.js';

export type AnyTask = Task | ModelTask;

export interface Task {
  asked: Asked;
  backend: BackendName;
  /** Path of a module whose kernels are compared instead of the plugin's: see user-kernels.ts. */
  kernels?: string;
  /** Only tell the names of what would be compared. */
  list: boolean;
}

export type TaskMessage =
  | CompareMessage
  | { names: Name[] }
  /** What the results depend on, for the report: name -> value. */
  | { facts: Record<string, string> };
