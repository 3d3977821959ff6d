/** Specs of a page that is cross-origin isolated, in Chromium: tfjs's build with threads, whose memory is shared. */
import { readFileSync } from 'node:fs';
import { CHROMIUM_HINT, findChromium, inBrowser, SENDER } from '../src/cli/browser.js';
import { ISOLATING } from './runner/browsers.js';
import { bundlePage, WASM_FOLDER } from './runner/bundle.js';
import type { Isolated } from './support/isolated_page.js';

describe('a page that is cross-origin isolated', () => {
  it('is served in the memory that its threads share', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const script = readFileSync(await bundlePage('test/support/isolated_page.ts'), 'utf8');
    const files: string[] = [];
    const fileOf = (path: string) => {
      if (path === '/page.js') return { text: script };
      files.push(path);
      return { file: path.replace('/wasm', WASM_FOLDER) };
    };
    const html = `<script>${SENDER}</script><script src="/page.js"></script>`;
    let page = {} as Isolated;
    await inBrowser<Isolated>(html, fileOf, (message) => (page = message), { headers: ISOLATING });
    expect(page.isolated).toBeTrue();
    expect(files).toContain('/wasm/tfjs-backend-wasm-threaded-simd.wasm');
    expect(page.wasm).toEqual({ serving: 'relaxed-simd', inPlace: true });
    expect(page.pools).toEqual({ cpu: 2, wasm: 2 });
    const ops = Object.keys(page.results).length;
    expect(page.jobs.cpu).toBeGreaterThanOrEqual(ops);
    expect(page.jobs.wasm).toBeGreaterThanOrEqual(ops);
    for (const [name, { cpu, wasm, ...threaded }] of Object.entries(page.results)) {
      expect(wasm).withContext(name).toEqual(cpu);
      for (const values of Object.values(threaded)) expect(values).withContext(name).toEqual(cpu);
      expect(wasm.some((value) => value !== 0))
        .withContext(name)
        .toBeTrue();
    }
  });
});
