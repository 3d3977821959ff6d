/** What `model` hands to the thread or the page that runs the model, and what comes back. */
import type { BackendName } from '../../../kernels/registry.js';
import type { Format } from './files.js';
import type { ModelReport } from '../../verify/model/model-report.js';
import type { Shapes } from './shapes.js';

/** The most elements of an op's output that are compared. More take long, and rarely show more. */
export const ELEMENTS = 10_000;

export interface ModelTask {
  /** Path of a model.json, or of a module. */
  model: string;
  format: Format;
  backend: BackendName;
  /** Shapes of the inputs: of the first ones in order, or by name. */
  shapes: Shapes;
  /** Run backward, too. */
  gradients: boolean;
  /** How often each side is timed. */
  repeat: number;
  seed: number;
  /** The most elements of each output that are compared. */
  elements: number;
}

/** A report without its methods, and its text. */
export type PlainReport = Omit<ModelReport, 'toJSON' | 'toString'> & { text: string };

/** What came of the model with one set of kernels: a report, or what was thrown. */
export type Side = { report: PlainReport } | { error: string };

/** A kernel of the model. */
export interface KernelRow {
  kernel: string;
  calls: number;
  /** Milliseconds of all calls, medians; null where they were not measured. */
  tfjs: number | null;
  plugin: number | null;
}

/** What is known of a model on one backend. */
export interface ModelResult {
  backend: string;
  inputs: { name: string; shape: number[] }[];
  tfjs: Side;
  plugin: Side;
  /** Names of the kernels that the plugin has of its own on this backend. */
  ours: string[];
  /** Those that were timed, the slowest first. */
  kernels: KernelRow[];
  /** Milliseconds of a whole run, medians; null if it throws. */
  whole: { tfjs: number | null; plugin: number | null };
}

export type ModelMessage =
  | { step: string }
  | { result: ModelResult }
  /** What the results depend on: name -> value. */
  | { facts: Record<string, string> };
