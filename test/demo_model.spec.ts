/** Specs of the demo page's check of a model: files as a user chooses them, in browsers. */
import * as tfl from '@tensorflow/tfjs-layers';
import { backendsHere } from '../demo/comparison.js';
import { modelSection } from '../demo/model.js';
import { inTurn } from '../demo/turns.js';
import type { ModelRun } from '../src/cli/model/command.js';
import type { Side } from '../src/cli/model/task.js';
import { readNumber } from '../src/cli/numbers.js';
import type { BackendName } from '../kernels/registry.js';
import { expectRegistries, readRegistries, tf } from './support/tfjs.js';
import { PATIENCE } from './support/webgl.js';

const WEIGHTS = 'group1-shard1of1.bin';

/** The files that tfjs's converter would write. */
function filesOf(modelTopology: object, weights: tf.io.WeightsManifestEntry[], data: BlobPart): File[] {
  const json = { modelTopology, weightsManifest: [{ paths: [WEIGHTS], weights }] };
  return [new File([JSON.stringify(json)], 'model.json'), new File([data], WEIGHTS)];
}

/** A dense layer of three units; its input has two numbers. */
async function layersFiles({ layer = 'Dense', weight = 0.5, isOpen = false } = {}): Promise<File[]> {
  const inputs = tfl.input({ shape: isOpen ? [null, 2] : [2], name: 'points' });
  const made = tfl.layers.dense({ units: 3, activation: 'relu', name: 'dense' });
  const model = tfl.model({ inputs, outputs: made.apply(inputs) as tfl.SymbolicTensor });
  const values = [tf.fill([2, 3], weight), tf.zeros([3])];
  made.setWeights(values);
  let files: File[] = [];
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      const text = JSON.stringify(modelTopology).replace('"Dense"', JSON.stringify(layer));
      files = filesOf(JSON.parse(text) as object, weightSpecs!, weightData as ArrayBuffer);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  tf.dispose(values);
  model.dispose();
  return files;
}

/** x + w, for an x of any number of rows. */
function graphFiles(): File[] {
  const float = { type: 'DT_FLOAT' };
  const shape = { shape: { dim: [{ size: -1 }, { size: -1 }, { size: 2 }] } };
  const value = { tensor: { dtype: 'DT_FLOAT', tensorShape: { dim: [{ size: '2' }] } } };
  const node = [
    { name: 'x', op: 'Placeholder', attr: { dtype: float, shape } },
    { name: 'w', op: 'Const', attr: { dtype: float, value } },
    { name: 'y', op: 'AddV2', input: ['x', 'w'], attr: { T: float } },
  ];
  const weights = [{ name: 'w', shape: [2], dtype: 'float32' as const }];
  return filesOf({ node, versions: { producer: 1 } }, weights, Float32Array.of(1, 2));
}

describe('the demo page, a model', () => {
  if (typeof document === 'undefined') {
    it('is tested in browsers', () => pending('there is no page here'));
    return;
  }

  let root: HTMLElement;
  const all = <E extends HTMLElement>(selector: string) => Array.from(root.querySelectorAll<E>(selector));
  const button = (name: string) => all('button').find(({ textContent }) => textContent === name)!;
  const field = (label: string) =>
    all<HTMLLabelElement>('label').find(({ textContent }) => textContent!.startsWith(label))!.querySelector('input, select') as HTMLInputElement; // prettier-ignore
  const status = () => root.querySelector('.verdict')!.textContent!;
  const memory = () => {
    const { numTensors, numDataBuffers } = tf.memory();
    return { numTensors, numDataBuffers, variables: Object.keys(tf.engine().state.registeredVariables) };
  };
  const ended = async () => {
    while (/…$/.test(status())) await new Promise((done) => setTimeout(done, 20));
  };

  beforeAll(async () => {
    root = modelSection(await backendsHere());
    document.body.append(root);
  });
  afterAll(async () => {
    root.remove();
    await tf.setBackend('cpu');
  });

  function choose(files: File[]): void {
    const transfer = new DataTransfer();
    files.forEach((file) => transfer.items.add(file));
    (field('Model files') as HTMLInputElement).files = transfer.files;
  }

  /** Fills in the form, after what was going on. */
  async function ask(backend: BackendName = 'cpu', shapes = '', gradients = false): Promise<void> {
    field('Backend').value = backend;
    field('Shapes').value = shapes;
    field('Gradients').checked = gradients;
    await inTurn(async () => void (await tf.setBackend(backend)));
  }

  /** Checks these files, or the example. Nothing must be left but the report. */
  async function check(
    files: File[] | 'example',
    { backend = 'cpu' as BackendName, shapes = '', gradients = false } = {},
  ): Promise<string> {
    await ask(backend, shapes, gradients);
    const [before, registered] = [memory(), readRegistries()];
    if (files !== 'example') choose(files);
    button(files === 'example' ? 'Try an example' : 'Check').click();
    expect(status()).toBe('Loading …');
    await ended();
    expect(memory()).withContext(status()).toEqual(before);
    expectRegistries(registered);
    return status();
  }

  /** What the link saves. */
  async function saved(): Promise<ModelRun> {
    const response = await fetch(root.querySelector<HTMLAnchorElement>('a[download]')!.href);
    return JSON.parse(await response.text(), readNumber) as ModelRun;
  }
  const textOf = (side: Side) => ('report' in side ? side.report.text : side.error);

  for (const backend of ['cpu', 'wasm', 'webgl'] as const) {
    it(
      `checks a layers model on ${backend}, and gives the report to save`,
      async () => {
        if (backend === 'webgl' && !tf.env().getBool('HAS_WEBGL')) return pending('there is no webgl here');
        const files = await layersFiles();
        expect(await check(files, { backend })).toBe(`✓ On ${backend}: right with tfjs’s kernels, right with the plugin’s.`); // prettier-ignore
        const { model, gradients, versions, results } = await saved();
        expect([model, gradients, versions['TensorFlow.js']]).toEqual(['model.json', false, tf.version_core]);
        expect(results.map(({ backend, inputs }) => [backend, inputs])).toEqual([[backend, [{ name: 'points', shape: [1, 2] }]]]); // prettier-ignore
        expect(textOf(results[0].plugin)).toContain(`The model is right on ${backend}`);
        expect(root.querySelectorAll('tbody tr').length).toBeGreaterThan(1);
        const text = root.querySelector('pre')!.textContent!;
        expect(text).toMatch(/^Model: model\.json\nMachine: .*\n/);
        expect(text).toMatch(/^_FusedMatMul +1 +plugin|^_FusedMatMul +1 +tfjs/m);
      },
      PATIENCE,
    );
  }

  it('checks a graph model, whose open size it asks for', async () => {
    expect(await check(graphFiles())).toBe('✗ The model takes x in any size of ?x?x2: write one into Shapes of the inputs, such as x=1x64x2.'); // prettier-ignore
    expect(await check(graphFiles(), { shapes: '3x5' })).toBe(
      '✗ The shape of x is given as 3x5, but the model wants ?x?x2.',
    );
    expect(await check(graphFiles(), { shapes: 'x = 1xa' })).toContain(
      '✗ Shapes of the inputs must be shapes, such as',
    );
    expect(await check(graphFiles(), { shapes: ' x=2x5x2 ' })).toContain('✓ On cpu: right');
    const { results } = await saved();
    expect(results[0].inputs).toEqual([{ name: 'x', shape: [2, 5, 2] }]);
  });

  it('asks for a size of a layers model, too, and takes what it proposes', async () => {
    const files = await layersFiles({ isOpen: true });
    const [, proposal] = /such as (.*)\.$/.exec(await check(files))!;
    expect(proposal).toBe('points=1x64x2');
    expect(await check(files, { shapes: proposal })).toContain('✓ On cpu: right');
  });

  it('says in plain words what is wrong with the files, and leaves nothing behind', async () => {
    const files = await layersFiles();
    const json = (text: string) => [new File([text], 'model.json')];
    const cases: [files: File[], message: string][] = [
      [[], 'No file is chosen: choose model.json together with its weight files.'],
      [files.slice(1), `model.json is missing: choose it together with ${WEIGHTS}.`],
      [files.slice(0, 1), `${WEIGHTS} is missing: choose it together with model.json.`],
      [[new File(['{}'], 'a.json'), new File(['{}'], 'b.json')], 'Only one of these can be the model: a.json, b.json.'], // prettier-ignore
      [json('no JSON'), 'model.json is no JSON: '],
      [json('null'), 'model.json is no model: it has no modelTopology or no weightsManifest.'],
      [[files[0], new File(['short'], WEIGHTS)], "The weights have 5 bytes, but the model needs 36: they may be another model's."], // prettier-ignore
      [await layersFiles({ layer: 'Unheard' }), 'Unknown layer: Unheard.'],
      [filesOf((JSON.parse(await files[0].text()) as tf.io.ModelJSON).modelTopology, [], ''), '2 of 2 weights are not set: dense'], // prettier-ignore
    ];
    for (const [given, message] of cases) expect(await check(given)).toContain(`✗ ${message}`);
    expect(await check(files)).toContain('✓ On cpu');
  });

  it('finds a planted bug, and names the op', async () => {
    const config = tf.getKernel('_FusedMatMul', 'cpu');
    const spoiled: tf.KernelFunc = (args) => {
      const result = config.kernelFunc(args) as tf.TensorInfo;
      (args.backend as { data: Map<object, { values: Float32Array }> } & object).data.get(result.dataId)!.values[1] += 0.01; // prettier-ignore
      return result;
    };
    tf.unregisterKernel('_FusedMatMul', 'cpu');
    tf.registerKernel({ ...config, kernelFunc: spoiled });
    try {
      expect(await check(await layersFiles())).toBe('✗ On cpu: wrong with tfjs’s kernels, right with the plugin’s.'); // prettier-ignore
      expect(root.querySelector('li')!.textContent).toMatch(
        /WRONG: #\d+ _FusedMatMul of layer dense, .*element \[0,0,1\] is/,
      );
      expect(root.querySelector('td.wrong')!.textContent).toContain('✗ ');
    } finally {
      tf.unregisterKernel('_FusedMatMul', 'cpu');
      tf.registerKernel(config);
    }
  });

  it(
    'finds the wrong gradient of the example, and what throws on wasm',
    async () => {
      expect(await check('example', { gradients: true })).toBe('✗ On cpu: wrong with tfjs’s kernels, right with the plugin’s.'); // prettier-ignore
      expect(root.textContent).toContain('AvgPoolGrad of layer average_pooling2d');
      expect(await check('example', { gradients: true, backend: 'wasm' })).toBe(
        '✗ On wasm: throws with tfjs’s kernels, right with the plugin’s.',
      );
      expect(root.textContent).toContain('It throws: Kernel');
      expect(root.textContent).toContain('no time: it throws with tfjs’s kernels');
    },
    PATIENCE,
  );

  it('saves Infinity and NaN as texts', async () => {
    expect(await check(await layersFiles({ weight: 3e38 }), { shapes: '64x2' })).toContain(
      '? On cpu: unsure',
    );
    const link = root.querySelector<HTMLAnchorElement>('a[download]')!;
    expect(link.download).toBe('tfjs-convgrad-model.json');
    expect(await (await fetch(link.href)).text()).toContain('"Infinity"');
    const [{ plugin }] = (await saved()).results;
    expect('report' in plugin && plugin.report.firstNonFinite!.elements[0].value).toBe(Infinity);
  });

  it('copies the report, or selects it where a page may not copy', async () => {
    await check(await layersFiles());
    const report = root.querySelector('pre')!.textContent!;
    const done = root.querySelector('span[role=status]')!;
    const copies: string[] = [];
    const copy = async (writeText: (text: string) => Promise<void>) => {
      Object.defineProperty(navigator, 'clipboard', { value: { writeText }, configurable: true });
      button('Copy the report').click();
      await new Promise((resolve) => setTimeout(resolve));
      delete (navigator as { clipboard?: unknown }).clipboard;
    };
    await copy(async (text) => void copies.push(text));
    expect([copies, done.textContent]).toEqual([[report], 'Copied.']);
    await copy(() => Promise.reject(new Error('not allowed')));
    expect(done.textContent).toContain('copy it yourself');
    expect(getSelection()!.toString().trim()).toBe(report.trim());
  });

  it('can be stopped, one run at a time, and stays usable', async () => {
    await ask();
    const before = memory();
    button('Try an example').click();
    button('Check').click(); // does nothing now
    // A timer may come when the step is over.
    await new Promise<void>((seen) => {
      const observer = new MutationObserver(() => /^(Step 2|[✓✗?])/.test(status()) && seen());
      observer.observe(root, { subtree: true, childList: true, characterData: true });
    });
    expect(button('Check').getAttribute('aria-disabled')).toBe('true');
    button('Stop').focus();
    button('Stop').click();
    await ended();
    expect(status()).toBe('Stopped.');
    expect([button('Stop').hidden, document.activeElement]).toEqual([true, button('Check')]);
    expect(memory()).toEqual(before);
    expect(await check(await layersFiles())).toContain('✓ On cpu');
  });

  it('offers the backends that start here, first the GPU', () => {
    const options = (backends: Record<string, string>) => {
      const select = modelSection(new Map(Object.entries(backends))).querySelector('select')!;
      return [...Array.from(select.options, ({ textContent }) => textContent), select.value];
    };
    expect(options({ cpu: '', wasm: 'why', webgl: 'why' })).toEqual(['cpu', 'wasm (does not start here)', 'webgl (does not start here)', 'cpu']); // prettier-ignore
    if (tf.env().getBool('HAS_WEBGL')) expect(options({ cpu: '', wasm: '', webgl: '' })[3]).toBe('webgl');
  });

  it('says what the textures carry', () => {
    if (!tf.env().getBool('HAS_WEBGL')) return pending('there is no webgl here');
    const words = () => modelSection(new Map([['webgl', '']])).textContent;
    const size = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
    const isFloat = tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
    tf.env().set('WEBGL_RENDER_FLOAT32_ENABLED', true);
    expect(words()).toContain(`float32; at most ${size} x ${size} texels`);
    tf.env().set('WEBGL_RENDER_FLOAT32_ENABLED', false);
    expect(words()).toContain('half floats: three digits');
    tf.env().set('WEBGL_RENDER_FLOAT32_ENABLED', isFloat);
    expect(modelSection(new Map([['cpu', ''], ['webgl', 'why']])).textContent).toContain('webgl does not start here'); // prettier-ignore
  });
});
