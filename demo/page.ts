/** The demo page: the way to the explorer and, when the backends have started, the check of a model and the comparison of kernels. */
import { backendsHere, comparison } from './comparison.js';
import { html } from './dom.js';
import { stateOf, toHash, type State } from './explorer/state.js';
import { modelSection } from './model.js';

export async function mountPage(root: HTMLElement): Promise<void> {
  const main = html('main', {}, explorerSection());
  root.append(
    html(
      'header',
      {},
      html('h1', {}, 'tfjs-convgrad'),
      html(
        'p',
        {},
        'Convolution and pooling for TensorFlow.js with gradients that are right, and the proof. This page computes ' +
          'everything in your browser.',
      ),
    ),
    main,
  );
  const backends = await backendsHere();
  main.append(modelSection(backends), comparison(backends));
}

function explorerSection(): HTMLElement {
  const link = (text: string, state: Partial<State>) =>
    html('a', { href: `explorer.html${toHash(stateOf(state))}` }, text);
  return html(
    'section',
    { 'aria-labelledby': 'explorer' },
    html('h2', { id: 'explorer' }, 'See each cell'),
    html(
      'p',
      {},
      'The ',
      html('a', { href: 'explorer.html' }, 'explorer'),
      ' takes your own numbers, and writes out the sum behind each cell of a convolution or a pool, forward and backward. For example: ',
      link('y gathers', {}),
      ' (each cell collects its window), and the gradient of x as ',
      link('a gather', { look: 'dx', view: 'gather' }),
      ' (each cell collects from all windows that it is in) or as ',
      link('a scatter', { look: 'dx', view: 'scatter' }),
      ' (each dy spreads over its window and is added).',
    ),
  );
}
