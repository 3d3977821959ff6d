/** What `compare` hands to the thread or the page that compares, and what comes back. */
import type { BackendName } from '../../kernels/registry.js';
import type { Asked, CompareMessage, Name } from './run-comparisons.js';

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
