/** Specs of the static build of the demo page. It is one folder that needs no network, and a server for wasm alone. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PRESETS } from '../demo/explorer/presets.js';
import { toHash } from '../demo/explorer/state.js';
import { CHROMIUM_HINT, findChromium, inBrowser, SENDER } from '../src/cli/browser.js';

const PAGES = ['index.html', 'main.js', 'style.css'];
const EXPLORER = ['explorer.html', 'explorer.js', 'explorer.css'];
const WASM = ['-simd', '-threaded-simd', ''].map((kind) => `tfjs-backend-wasm${kind}.wasm`);

/** Opens the page in Chromium, and compares on each backend that it offers. It can load those files that `has` accepts. */
async function openPage(has: (file: string) => boolean): Promise<string> {
  const page = readFileSync('build/demo/index.html', 'utf8');
  const script = `<script>
    ${SENDER}
    const until = async (found) => {
      while (!found()) await new Promise((done) => setTimeout(done, 20));
      return found();
    };
    addEventListener('load', async () => {
      const form = await until(() => document.querySelector('form:has(option[value=wasm])'));
      const verdict = form.parentElement.querySelector('.verdict');
      const backend = form.querySelector('select:has([value=wasm])');
      for (const option of backend.options) {
        if (option.disabled) continue;
        backend.value = option.value;
        form.requestSubmit();
        await until(() => /^[✓✗]/.test(verdict.textContent));
        send({ message: verdict.textContent });
      }
      send({ message: form.parentElement.textContent });
      send({ done: true });
    });
  </script>`;
  const texts: string[] = [];
  const fileOf = (path: string) => (has(path) ? { file: join('build/demo', path) } : undefined);
  await inBrowser<string>(page.replace('</head>', `${script}</head>`), fileOf, (text) => texts.push(text));
  return texts.join('\n');
}

describe('the demo build', () => {
  beforeAll(() => void execFileSync(process.execPath, ['demo/build.mjs']));

  it('is one folder that refers to nothing outside', () => {
    const files = readdirSync('build/demo');
    expect(files.sort()).toEqual([...PAGES, ...EXPLORER, ...WASM].sort());
    for (const [name, ...others] of [PAGES, EXPLORER]) {
      const page = readFileSync(join('build/demo', name), 'utf8');
      const links = Array.from(page.matchAll(/(?:src|href)="([^"]*)"/g), ([, link]) => link);
      expect(links.filter((link) => !link.startsWith('data:')).sort()).toEqual(others.sort());
    }
    for (const css of files.filter((file) => file.endsWith('.css'))) {
      expect(readFileSync(join('build/demo', css), 'utf8')).not.toMatch(/url\(|@import/);
    }
  });

  it('has no module scripts, which a page opened from a file may not load', () => {
    for (const [html, js] of [PAGES, EXPLORER]) {
      expect(readFileSync(join('build/demo', html), 'utf8')).not.toContain('type="module"');
      expect(readFileSync(join('build/demo', js), 'utf8')).not.toMatch(/^(import|export)\b/m);
    }
  });

  it('compares on wasm, whose files are beside the page', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const text = await openPage(() => true);
    expect(text).toMatch(/✓ Right: .*, on cpu\./);
    expect(text).toMatch(/✓ Right: .*, on wasm\./);
    expect(text).not.toContain('wasm does not start');
  }, 120_000);

  it('compares without wasm where its files are missing, and says why', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const text = await openPage((file) => !file.endsWith('.wasm'));
    expect(text).toMatch(/✓ Right: .*, on cpu\./);
    expect(text).not.toContain('on wasm.');
    expect(text).toContain('wasm does not start here. Its .wasm files do not load');
  }, 120_000);

  it('has an explorer that is small, as it needs no tfjs', () => {
    const sizes = EXPLORER.map((name) => gzipSync(readFileSync(join('build/demo', name))).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(40_000);
    expect(readFileSync('build/demo/explorer.js', 'utf8')).not.toContain('registerKernel');
  });

  it('has an explorer that needs no scrolling sideways', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    expect(await overflows([320, 768, 1280])).toEqual([]);
  }, 120_000);
});

/** Opens each example at these widths. Returns those in which the page is wider than its window. */
async function overflows(widths: number[]): Promise<string[]> {
  const [page, script, css] = ['html', 'js', 'css'].map((kind) => readFileSync(`build/demo/explorer.${kind}`, 'utf8')); // prettier-ignore
  const measure = `<script>
    ${SENDER}
    addEventListener('load', async () => {
      if (window !== top) return;
      for (const width of ${JSON.stringify(widths)}) {
        for (const hash of ${JSON.stringify(PRESETS.map(({ state }) => toHash(state)))}) {
          const frame = document.createElement('iframe');
          frame.style.width = width + 'px';
          frame.src = '/?' + hash;
          document.body.append(frame);
          await new Promise((done) => (frame.onload = done));
          const { scrollWidth } = frame.contentDocument.documentElement;
          const grids = frame.contentDocument.querySelectorAll('table').length;
          if (scrollWidth > width || grids === 0) send({ message: width + ': ' + scrollWidth + ', ' + hash });
          frame.remove();
        }
      }
      send({ done: true });
    });
  </script>`;
  const inlined = page.replace('</head>', `<style>${css} iframe { border: 0 } </style>${measure}</head>`);
  const found: string[] = [];
  const fileOf = (path: string) => (path === '/explorer.js' ? { text: script } : undefined);
  await inBrowser<string>(inlined, fileOf, (text) => found.push(text));
  return found;
}
