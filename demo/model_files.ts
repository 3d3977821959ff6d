/** Models for the check: out of files that the user chose, or an example. */
import { engine, type Variable } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { handlerOf, parseModel, storedFormat, weightFilesOf } from '../src/cli/model/artifacts.js';
import { LOADERS, loadModel, OWN_LAYERS } from '../src/cli/model/load.js';
import type { Model } from '../src/verify/model/runner.js';

export interface NamedModel {
  name: string;
  model: Model & { dispose(): unknown };
}

/** @throws Error in words for the user. No tensor is left then. */
export async function modelIn(files: readonly File[]): Promise<NamedModel> {
  const main = mainFile(files);
  const json = parseModel(await main.text(), main.name);
  const read = (path: string) => files.find(({ name }) => name === baseName(path));
  const missing = weightFilesOf(json).map(baseName).filter((name) => !read(name)); // prettier-ignore
  if (missing.length > 0)
    throw new Error(
      `${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing: choose ${missing.length > 1 ? 'them' : 'it'} together with ${main.name}.`,
    );
  const handler = handlerOf(json, (path) => read(path)!.arrayBuffer());
  const { model } = await allOrNothing(() => loadModel(storedFormat(json), handler, importPackage));
  return { name: main.name, model: model as NamedModel['model'] };
}

/** A small net with random weights. Its average pooling touches padding, where tfjs's own gradient is wrong. */
export async function exampleModel(): Promise<NamedModel> {
  const { layers, sequential, initializers } = await import('@tensorflow/tfjs-layers');
  const kernelInitializer = initializers.glorotUniform({ seed: 1 });
  const depthwiseInitializer = kernelInitializer;
  const conv = { kernelSize: 3, padding: 'same', activation: 'tanh', kernelInitializer } as const;
  const model = sequential({
    layers: [
      layers.conv2d({ ...conv, inputShape: [16, 16, 1], filters: 8 }),
      layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      layers.depthwiseConv2d({ ...conv, depthwiseInitializer }),
      layers.conv2d({ ...conv, filters: 16 }),
      layers.averagePooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
    ],
  });
  return { name: 'example', model };
}

const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** The file with the topology. Other files of JSON may lie beside it. */
function mainFile(files: readonly File[]): File {
  const all = files.filter(({ name }) => name.endsWith('.json'));
  const named = all.find(({ name }) => name === 'model.json');
  if (all.length === 1 || named) return named ?? all[0];
  const names = (all.length > 0 ? all : files).map(({ name }) => name).join(', ');
  throw new Error(
    files.length === 0
      ? 'No file is chosen: choose model.json together with its weight files.'
      : all.length === 0
        ? `model.json is missing: choose it together with ${names}.`
        : `Only one of these can be the model: ${names}.`,
  );
}

const importPackage = (name: string): Promise<object> => {
  if (name === LOADERS['layers-model']) return import('@tensorflow/tfjs-layers');
  return name === OWN_LAYERS ? import('../src/layers/index.js') : import('@tensorflow/tfjs-converter');
};

/** What `load` gives. If it throws, the tensors that it has made are disposed of. */
async function allOrNothing<T>(load: () => Promise<T>): Promise<T> {
  const { state } = engine();
  const variables = new Set<Variable>(Object.values(state.registeredVariables));
  engine().startScope();
  try {
    const loaded = await load();
    engine().endScope(state.activeScope.track); // they live on
    return loaded;
  } catch (error) {
    engine().endScope();
    Object.values(state.registeredVariables).filter((v) => !variables.has(v)).forEach((v) => v.dispose()); // prettier-ignore
    throw error;
  }
}
