/** The demo page: the worked examples and, when the backends have started, the check of a model and the comparison of kernels. */
import { backendsHere, comparison } from './comparison.js';
import { html } from './dom.js';
import { modelSection } from './model.js';
import { stepper } from './stepper.js';

export async function mountPage(root: HTMLElement): Promise<void> {
  const main = html('main', {}, stepper());
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
      html(
        'p',
        {},
        html('a', { href: 'explorer.html' }, 'Convolution and pooling, cell by cell'),
        ': your own numbers, forward and backward.',
      ),
    ),
    main,
  );
  const backends = await backendsHere();
  main.append(modelSection(backends), comparison(backends));
}
