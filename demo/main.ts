/** Entry point of the demo page: loads tfjs with its backends, and shows the page. */
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { mountPage } from './page.js';

enableProdMode(); // no advice to use another backend
void mountPage(document.body);
