/** Loads a model: from a model.json, by the package of tfjs that reads it, or from a module of the user's. */
import type { io } from '@tensorflow/tfjs-core';
import { shown } from '../../../kernels/known.js';
import type { Model } from '../../verify/model/runner.js';
import type { Format } from './files.js';
import type { Loaded } from './run.js';

/** The packages that load models. Only one of them is needed. */
export const LOADERS = {
  'layers-model': '@tensorflow/tfjs-layers',
  'graph-model': '@tensorflow/tfjs-converter',
} as const;

/** Registers the layers of this package, which a tf.LayersModel may have. */
export const OWN_LAYERS = 'tfjs-convgrad/layers';

interface Loaders {
  loadLayersModel(source: io.IOHandler | string): Promise<Model>;
  loadGraphModel(source: io.IOHandler | string): Promise<Model>;
}

/**
 * @param source a URL or a handler of a model.json
 * @param importPackage imports a package of the user's project, or OWN_LAYERS
 */
export async function loadModel(
  format: Exclude<Format, 'module'>,
  source: io.IOHandler | string,
  importPackage: (name: string) => Promise<object>,
): Promise<Loaded> {
  const loaders = (await importPackage(LOADERS[format])) as Loaders;
  if (format === 'layers-model') await importPackage(OWN_LAYERS);
  const model = await (format === 'layers-model'
    ? loaders.loadLayersModel(source)
    : loaders.loadGraphModel(source));
  return { model };
}

/** @throws Error if the module does not export what it must */
export async function loadedFrom(file: string, module: object): Promise<Loaded> {
  const { model, load, inputs, loss } = module as Record<string, unknown>;
  for (const [name, value] of Object.entries({ load, inputs, loss })) {
    if (value !== undefined && typeof value !== 'function')
      throw new Error(`${name} of ${file} is ${shown(value)}, but it must be a function.`);
  }
  if ((model === undefined) === (load === undefined)) {
    const names = Object.keys(module).join(', ') || 'nothing';
    throw new Error(
      `${file} exports ${names}, but it must export model or load, a function that returns the model.`,
    );
  }
  const found = model ?? (await (load as () => unknown)());
  return { model: found as Model, inputs, loss } as Loaded;
}
