/** A model as tfjs saves it: model.json, which has the topology and names the files of weights, wherever the files are. */
import { io } from '@tensorflow/tfjs-core';

/** @throws Error if the text is no model */
export function parseModel(text: string, name: string): io.ModelJSON {
  const json = parsed(text, name);
  if (!json?.modelTopology || !Array.isArray(json.weightsManifest))
    throw new Error(`${name} is no model: it has no modelTopology or no weightsManifest.`);
  return json;
}

function parsed(text: string, name: string): io.ModelJSON | null {
  try {
    return JSON.parse(text) as io.ModelJSON | null;
  } catch (error) {
    throw new Error(`${name} is no JSON: ${(error as Error).message}`);
  }
}

export const storedFormat = ({ modelTopology }: io.ModelJSON) =>
  'node' in modelTopology ? 'graph-model' : 'layers-model';

export const weightFilesOf = ({ weightsManifest }: io.ModelJSON): string[] =>
  weightsManifest.flatMap(({ paths }) => paths);

/**
 * What loadLayersModel and loadGraphModel take for a model.
 * @param read gives the content of a file of weights
 */
export function handlerOf(json: io.ModelJSON, read: (name: string) => Promise<ArrayBuffer>): io.IOHandler {
  const load = () =>
    io.getModelArtifactsForJSON(json, async (manifest) => {
      const specs = manifest.flatMap(({ weights }) => weights);
      const data = io.concatenateArrayBuffers(await Promise.all(weightFilesOf(json).map(read)));
      const bytes = bytesOf(specs);
      if (bytes !== null && data.byteLength < bytes)
        throw new Error(`The weights have ${data.byteLength} bytes, but the model needs ${bytes}: they may be another model's.`); // prettier-ignore
      return [specs, data];
    });
  return { load };
}

const BYTES: Record<string, number> = { float32: 4, int32: 4, complex64: 8, bool: 1, uint8: 1, uint16: 2, float16: 2 }; // prettier-ignore

/** The bytes of all weights; null if texts are among them, whose lengths are in the data. */
function bytesOf(specs: readonly io.WeightsManifestEntry[]): number | null {
  let sum = 0;
  for (const { shape, dtype, quantization } of specs) {
    const size = BYTES[quantization?.dtype ?? dtype];
    if (size === undefined) return null;
    sum += size * shape.reduce((product, n) => product * n, 1);
  }
  return sum;
}
