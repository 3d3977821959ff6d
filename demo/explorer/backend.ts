/** A script that the explorer loads when a backend is asked for: it brings tfjs, with its backends, and the plugin. */
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgl';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { onBackend } from './on_backend.js';

setWasmPaths('./'); // build.mjs puts its files beside the page
enableProdMode(); // no advice to use another backend
Object.assign(globalThis, { explorerOnBackend: onBackend });
