/** Registers tfjs's wasm backend and says where its files are, in Node and in a page of Karma. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';

declare const __karma__: unknown;

const root = typeof __karma__ === 'undefined' ? '' : '/base/';
setWasmPaths(`${root}node_modules/@tensorflow/tfjs-backend-wasm/dist/`);
