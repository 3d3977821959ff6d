/** Entry of the demo page: tfjs with the backends to choose from, and the page itself. */
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { mountPage } from './page.js';

enableProdMode(); // no advice to use another backend
void mountPage(document.body);
