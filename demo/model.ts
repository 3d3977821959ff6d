/** Checks a model of the user's in this browser, as the command `tfjs-convgrad model` does, and gives the report to copy or save. */
import { setBackend, version_core } from '@tensorflow/tfjs-core';
import { browserName, gpuName, texturesInWords } from '../src/cli/device.js';
import type { ModelRun } from '../src/cli/model/command.js';
import { openInput } from '../src/cli/model/inputs.js';
import { runModel } from '../src/cli/model/run.js';
import { NO_SHAPES, type Shapes, SHAPES_ALLOWED, shapesIn } from '../src/cli/model/shapes.js';
import { ELEMENTS, type ModelMessage, type ModelResult } from '../src/cli/model/task.js';
import { html, labelledSelect } from './dom.js';
import { exampleModel, modelIn, type NamedModel } from './model_files.js';
import { device, jsonOf, shown, verdict } from './model_report.js';
import { inTurn } from './turns.js';

/** How often each set of kernels is timed, and how long it runs before, in milliseconds. */
const REPEAT = 3;
const WARM_MS = 300;
/** What runModel does: times, tfjs's kernels, the plugin's. */
const STEPS = 3;
/** While a run works, the browser draws and reacts every so many milliseconds. */
const DRAWN_MS = 100;

interface Asked {
  backend: string;
  shapes: string;
  gradients: boolean;
}

/** @param backends for each backend: why it does not start here, or '' if it does */
export function modelSection(backends: Map<string, string>): HTMLElement {
  const files = html('input', { type: 'file', multiple: true, 'aria-describedby': 'model-files' });
  const shapes = html('input', { placeholder: '1x224x224x3', 'aria-describedby': 'model-shapes' });
  const backend = labelledSelect('Backend', [...backends.keys()]);
  const gradients = html('input', { type: 'checkbox' });
  const check = html('button', { type: 'submit' }, 'Check');
  const example = html('button', { type: 'button' }, 'Try an example');
  const stop = html('button', { type: 'button', hidden: true }, 'Stop');
  const status = html('p', { class: 'verdict', role: 'status' });
  const progress = html('progress', { hidden: true, 'aria-label': 'How much of this step is done' });
  const results = html('div');
  let isStopped = false;
  let saved = '';

  for (const option of Array.from(backend.select.options)) {
    if (!backends.get(option.value)) continue;
    option.disabled = true;
    option.textContent = `${option.value} (does not start here)`;
  }
  backend.select.value = [...backends].reverse().find(([, why]) => why === '')![0]; // the GPU, if there is one

  function setRunning(isRunning: boolean): void {
    if (document.activeElement === stop) check.focus();
    for (const button of [check, example]) button.setAttribute('aria-disabled', String(isRunning));
    stop.hidden = progress.hidden = !isRunning;
  }

  let drawnAt = 0;
  const draw = async (milliseconds = 0) => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    drawnAt = performance.now();
    if (isStopped) throw new Error('Stopped.');
  };
  const onProgress = async (done: number, all: number) => {
    if (performance.now() - drawnAt < DRAWN_MS && !isStopped) return;
    progress.value = done / all;
    await draw();
  };

  async function run(load: () => Promise<NamedModel>): Promise<void> {
    const asked = { backend: backend.select.value, shapes: shapes.value, gradients: gradients.checked };
    let step = 0;
    const onStep = async (text: string) => {
      progress.removeAttribute('value');
      status.textContent = `Step ${++step} of ${STEPS}: ${text} …`;
      await draw(50); // so that the browser shows the text
    };
    isStopped = false;
    setRunning(true);
    results.replaceChildren();
    status.className = 'verdict';
    status.textContent = 'Loading …';
    try {
      const report = await inTurn(() => draw(50).then(() => runOf(load, asked, onStep, onProgress)));
      URL.revokeObjectURL(saved);
      saved = URL.createObjectURL(new Blob([jsonOf(report)], { type: 'application/json' }));
      const { text, state } = verdict(report.results[0]);
      status.textContent = text;
      if (state) status.classList.add(state);
      results.replaceChildren(...shown(report, saved));
    } catch (error) {
      status.textContent = isStopped ? 'Stopped.' : `✗ ${error instanceof Error ? error.message : error}`;
      if (!isStopped) status.classList.add('wrong');
    }
    setRunning(false);
  }

  const form = html(
    'form',
    {},
    html('label', {}, 'Model files, to choose or to drop here', files),
    html('p', { id: 'model-files' }, 'model.json together with its weight files. They stay on this device.'),
    html('label', {}, 'Shapes of the inputs', shapes),
    html(
      'p',
      { id: 'model-shapes' },
      'Only if the model leaves sizes open. By name: image=1x224x224x3, mask=1x224x224.',
    ),
    html(
      'div',
      { class: 'controls' },
      backend.field,
      html('label', { class: 'check' }, gradients, 'Gradients, too'),
      check,
      example,
      stop,
    ),
  );
  const start = (load: () => Promise<NamedModel>) => {
    if (check.getAttribute('aria-disabled') !== 'true') void run(load);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    start(() => modelIn(Array.from(files.files ?? [])));
  });
  example.addEventListener('click', () => start(exampleModel));
  stop.addEventListener('click', () => (isStopped = true));

  return html(
    'section',
    { 'aria-labelledby': 'model' },
    html('h2', { id: 'model' }, 'Is my model right here?'),
    html(
      'p',
      {},
      'A model of TensorFlow.js runs on random inputs, with tfjs’s kernels and with the plugin’s. Each op is judged by itself: ' +
        'by a float64 definition, or else by tfjs’s cpu backend. So the report names the op that is wrong on this device. ' +
        'The example is a small net with random weights; with gradients, tfjs’s average pooling is wrong in it.',
    ),
    device(backends.get('webgl') === ''),
    form,
    status,
    progress,
    results,
  );
}

/** Loads the model and checks it. Neither is left behind. */
async function runOf(
  load: () => Promise<NamedModel>,
  { backend, shapes, gradients }: Asked,
  onStep: (text: string) => Promise<void>,
  onProgress: (done: number, all: number) => Promise<void>,
): Promise<ModelRun> {
  const given = shapesOf(shapes);
  if (!(await setBackend(backend).catch(() => false)))
    throw new Error(`Backend ${backend} does not start in this browser.`);
  const { name, model } = await load();
  const results: ModelResult[] = [];
  const tell = async (message: ModelMessage) => {
    if ('step' in message) await onStep(message.step);
    else if ('result' in message) results.push(message.result);
  };
  try {
    const open = openInput(model, given);
    if (open) throw new Error(`${open.words}: write one into Shapes of the inputs, such as ${open.example}.`);
    const task = { shapes: given, gradients, repeat: REPEAT, warmMs: WARM_MS, seed: 1, elements: ELEMENTS };
    await runModel({ model }, task, tell, onProgress);
  } finally {
    model.dispose();
  }
  return {
    model: name,
    gradients,
    machine: backend === 'webgl' ? `${gpuName()}; textures: ${texturesInWords()}` : `${navigator.hardwareConcurrency} cores`, // prettier-ignore
    versions: { 'TensorFlow.js': version_core, Browser: browserName() },
    date: new Date().toISOString().slice(0, 10),
    results,
  };
}

function shapesOf(text: string): Shapes {
  const shapes = text.trim() === '' ? NO_SHAPES : shapesIn(text);
  if (shapes) return shapes;
  throw new Error(`Shapes of the inputs must be ${SHAPES_ALLOWED}.`);
}
