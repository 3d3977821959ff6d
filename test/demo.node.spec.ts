/** Specs of the static build of the demo page. It is one folder that needs no network, and a server for wasm alone. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHROMIUM_HINT, findChromium, inBrowser, SENDER } from '../src/cli/browser.js';

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
    const page = readFileSync('build/demo/index.html', 'utf8');
    const links = Array.from(page.matchAll(/(?:src|href)="([^"]*)"/g), ([, link]) => link);
    const files = readdirSync('build/demo');
    expect(links.filter((link) => !link.startsWith('data:')).sort()).toEqual(['main.js', 'style.css']);
    expect(files.sort()).toEqual(['index.html', 'main.js', 'style.css', ...WASM].sort());
    expect(readFileSync('build/demo/style.css', 'utf8')).not.toMatch(/url\(|@import/);
  });

  it('has no module scripts, which a page opened from a file may not load', () => {
    expect(readFileSync('build/demo/index.html', 'utf8')).not.toContain('type="module"');
    expect(readFileSync('build/demo/main.js', 'utf8')).not.toMatch(/^(import|export)\b/m);
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
});
