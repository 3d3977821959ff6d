/** Script of the page that `npm run bench:network -- --browser` opens. */
import { enableProdMode } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { measureNetworks, type Row } from './networks.js';

declare const filter: string;
declare const threads: number[] | undefined;
declare const send: (message: { message: Row } | { done: true }) => Promise<unknown>;

enableProdMode();
setWasmPaths('/wasm/');
void measureNetworks(filter, threads, (row) => void send({ message: row })).then(() => send({ done: true }));
