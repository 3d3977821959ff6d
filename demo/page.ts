/** The demo page: the worked examples, and the comparison of kernels, which waits for the backends to start. */
import { comparison, usableBackends } from './comparison.js';
import { html } from './dom.js';
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
        'Convolution and pooling for TensorFlow.js with gradients that are right, and the proof, computed here ' +
          'and now in this browser.',
      ),
    ),
    main,
  );
  main.append(comparison(await usableBackends()));
}
