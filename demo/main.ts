/** Entry point of the demo page: loads tfjs with its backends, and shows the page. */
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgl';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { mountPage } from './page.js';

setWasmPaths('./'); // build.mjs puts its files beside the page
enableProdMode(); // no advice to use another backend
void mountPage(document.body);
