/** The page: shows what the worker says. */
/* global document, Worker */
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
const out = document.querySelector('pre');
worker.onmessage = ({ data }) => (out.textContent += `${data}\n`);
worker.onerror = ({ message }) => (out.textContent += `FAILED ${message}\n`);
