/** Specs of the static build of the demo page. It is one folder that needs no network, and a server for wasm alone. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { pageOf, PRESETS } from '../demo/explorer/presets.js';
import { fromHash, LIMITS, type State, stateOf, toHash } from '../demo/explorer/state.js';
import {
  CHROMIUM_FLAGS,
  CHROMIUM_HINT,
  findChromium,
  inBrowser,
  openChromium,
  SENDER,
} from '../src/cli/browser.js';
import { AXE, DARK } from './support/axe.js';
import { type Page, withPage } from './support/devtools.js';

const LARGEST = stateOf({ ...LIMITS, pad: 'same', view: 'im2col' });
const PAGES = ['index.html', 'main.js', 'style.css'];
const EXPLORER = ['explorer.html', 'explorer.js', 'explorer.css'];
const WASM = ['-simd', '-threaded-simd', ''].map((kind) => `tfjs-backend-wasm${kind}.wasm`);

/** It allows what the page brings along, wasm among it, and nothing else. The spec's own script has the nonce. */
const STRICT = "default-src 'none'; script-src 'self' 'nonce-spec' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src data:"; // prettier-ignore

/**
 * Opens the page in Chromium, under a strict Content-Security-Policy, and has the script work in it: it sends what the spec shall see.
 * @param has says which files the page can load
 */
async function openPage(script: string, has: (file: string) => boolean = () => true): Promise<string> {
  const page = readFileSync('build/demo/index.html', 'utf8');
  const whole = `<script nonce="spec">
    ${SENDER}
    addEventListener('securitypolicyviolation', ({ violatedDirective }) => send({ error: violatedDirective }));
    const until = async (found) => {
      while (!found()) await new Promise((done) => setTimeout(done, 20));
      return found();
    };
    addEventListener('load', async () => {
      ${script}
      send({ done: true });
    });
  </script>`;
  const texts: string[] = [];
  const fileOf = (path: string) => (has(path) ? { file: join('build/demo', path) } : undefined);
  const headers = { 'Content-Security-Policy': STRICT };
  const open = (url: string) => openChromium(url, [...CHROMIUM_FLAGS, '--window-size=500,800']);
  await inBrowser<string>(page.replace('</head>', `${whole}</head>`), fileOf, (text) => texts.push(text), { headers, open }); // prettier-ignore
  return texts.join('\n');
}

/** Compares on every backend that starts. */
const COMPARE = `
  const section = await until(() => document.querySelector('[aria-labelledby=compare]'));
  section.querySelector('form').requestSubmit();
  await until(() => /^[✓✗]/.test(section.querySelector('.verdict').textContent));
  send({ message: section.textContent });`;

/** Checks the example on wasm, on a page that may load no more files. */
const CHECK_EXAMPLE = `
  const section = await until(() => document.querySelector('[aria-labelledby=model]'));
  const verdict = section.querySelector('.verdict');
  section.querySelector('select').value = 'wasm';
  const loaded = performance.getEntriesByType('resource').length;
  Array.from(section.querySelectorAll('button')).find(({ textContent }) => textContent === 'Try an example').click();
  await until(() => /^[✓✗?]/.test(verdict.textContent));
  send({ message: verdict.textContent });
  const later = performance.getEntriesByType('resource').slice(loaded);
  send({ message: 'loaded later: ' + later.map(({ name }) => name).filter((name) => !name.endsWith('/message')) });
  const root = document.documentElement;
  root.style.zoom = root.clientWidth / 360; // Chromium opens no window as narrow as a phone
  send({ message: 'overflow: ' + (root.scrollWidth - root.clientWidth) });`;

describe('the demo build', () => {
  beforeAll(() => void execFileSync(process.execPath, ['demo/build.mjs']));

  it('is one folder that refers to nothing outside', () => {
    const files = readdirSync('build/demo');
    expect(files.sort()).toEqual([...PAGES, ...EXPLORER, 'backend.js', 'docs', 'docs.css', ...WASM].sort());
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
    const text = await openPage(COMPARE);
    expect(text).toContain('✓ Conv2D, one channel, valid: right on cpu, wasm and webgl.');
    expect(text).not.toContain('does not start');
  }, 120_000);

  it('compares without wasm where its files are missing, and says why', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const text = await openPage(COMPARE, (file) => !file.endsWith('.wasm'));
    expect(text).toContain('✓ Conv2D, one channel, valid: right on cpu and webgl.');
    expect(text).toContain('wasm does not start here. Its .wasm files do not load');
  }, 120_000);

  for (const [theme, flags] of [
    ['light', []],
    ['dark', [DARK]],
  ] as const)
    // prettier-ignore
    it(`has a page that axe finds no fault with, and that needs no scrolling sideways, in the ${theme} theme`, async () => {
      if (!findChromium()) return pending(CHROMIUM_HINT);
      expect(await faultsOfPage(flags)).toEqual(['before', 'compared', 'beyond', 'model']);
    }, 120_000);

  it('has an explorer that is small, as it needs no tfjs', () => {
    const sizes = EXPLORER.map((name) => gzipSync(readFileSync(join('build/demo', name))).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(40_000);
    expect(readFileSync('build/demo/explorer.js', 'utf8')).not.toContain('registerKernel');
  });

  it('has an explorer that loads tfjs when a backend is asked for', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const [asked, texts] = await askBackend();
    expect(texts).toEqual(Array(4).fill(jasmine.stringContaining('equal to float64')));
    expect(asked).toEqual(['before the click', '/backend.js']);
  }, 120_000);

  it('has the course and the deviations beside the explorer, which lead to what is there', () => {
    const pages = ['deviations.html', ...readdirSync('build/demo/docs/learn').map((name) => `learn/${name}`)];
    expect(pages.length).toBe(6);
    const ids = new Set<string>();
    const links = pages.flatMap((page) => {
      const text = readFileSync(join('build/demo/docs', page), 'utf8');
      for (const [, id] of text.matchAll(/ id="([^"]*)"/g)) ids.add(`${page}#${id}`);
      return Array.from(text.matchAll(/(?:src|href)="([^"]*)"/g), ([, link]) => ({ page, link }));
    });
    const lost = links.filter(({ page, link }) => {
      if (link.startsWith('data:')) return false;
      const [file, hash] = link.split('#');
      if (file && !existsSync(join('build/demo/docs', dirname(page), file))) return true;
      return hash !== undefined && !file.endsWith('explorer.html') && !ids.has(`${file || page}#${hash}`);
    });
    expect(lost).toEqual([]);
    expect(links.filter(({ link }) => link.startsWith('../../explorer.html#')).length).toBeGreaterThan(9);
    for (const { state, title } of PRESETS) {
      const { path } = pageOf(state);
      expect(path.includes('#') ? ids.has(path) : pages.includes(path)).withContext(`${title}: ${path}`).toBeTrue(); // prettier-ignore
    }
  });

  describe('has an explorer, opened from a file, that', () => {
    const FILE = pathToFileURL(resolve('build/demo/explorer.html')).href;
    const THEMES = { light: {}, dark: { 'prefers-color-scheme': 'dark' } };
    const stateOfPreset = (start: string) => PRESETS.find(({ title }) => title.startsWith(start))!.state;
    const inExplorer = (what: string, work: (page: Page) => Promise<void>) =>
      it(what, async () => (findChromium() ? withPage(work) : pending(CHROMIUM_HINT)), 180_000);
    const say = (page: Page, selector: string) => page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`); // prettier-ignore
    const open = (page: Page, state: State) => page.open(FILE + toHash(state));

    /** One of each op and each kind of picture, and a state that does not fit. */
    const KINDS = ['A: a convolution', 'A: its gradient of x', 'B: its gradient of x', 'C: a dense layer', 'C: max pooling, backward', 'A painted digit', 'Row 1:', 'Row 3', 'Row 7', 'Row 39'].map(stateOfPreset); // prettier-ignore
    const UNFIT = stateOf({ height: 2, filterHeight: 3 });

    for (const [theme, media] of Object.entries(THEMES)) {
      for (const width of [320, 1280]) {
        inExplorer(`has no faults of accessibility, ${theme}, ${width} px`, async (page) => {
          await page.look({ width, media });
          for (const state of [...KINDS, UNFIT]) {
            await open(page, state);
            await page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))"); // prettier-ignore
            const found = await page.evaluate<string[]>(`(() => { ${AXE} return findings(); })()`);
            expect(found).withContext(toHash(state)).toEqual([]);
            // axe cannot judge single characters, nor cells below the traces.
            expect(await page.evaluate<string[]>(PALE)).withContext(toHash(state)).toEqual([]); // prettier-ignore
          }
        });
      }
    }

    inExplorer('leads to pages without faults of accessibility', async (page) => {
      for (const width of [320, 1280]) {
        await page.look({ width });
        for (const path of new Set(PRESETS.map(({ state }) => pageOf(state).path.replace(/#.*/, '')))) {
          await page.open(FILE.replace('explorer.html', `docs/${path}`));
          expect(await page.evaluate<string[]>(`(() => { ${AXE} return findings(); })()`)).withContext(path).toEqual([]); // prettier-ignore
          expect(await page.evaluate('document.documentElement.scrollWidth'))
            .withContext(path)
            .toBeLessThanOrEqual(width);
        }
      }
    });

    inExplorer('shows an example without scrolling, on a laptop', async (page) => {
      await page.look({ width: 1280, height: 800 });
      for (const { state, title } of PRESETS) {
        await open(page, state);
        expect(await page.evaluate('document.documentElement.scrollHeight'))
          .withContext(title)
          .toBeLessThanOrEqual(800);
      }
    });

    inExplorer('shows the first grid of each example on a phone', async (page) => {
      await page.look({ width: 360, height: 740 });
      for (const { state, title } of PRESETS) {
        await open(page, state);
        const [row, sum] = await page.evaluate<number[]>("['tbody tr', '.reading'].map((name) => document.querySelector(name).getBoundingClientRect().bottom)"); // prettier-ignore
        expect(row)
          .withContext(title)
          .toBeLessThan(sum - 100);
      }
    });

    inExplorer('shows by borders what is linked where colours are forced', async (page) => {
      const border = (kind: string) => page.evaluate<string>(`getComputedStyle(document.querySelector('td.${kind}')).borderTop`); // prettier-ignore
      await page.look({ media: { 'forced-colors': 'active' } });
      await open(page, stateOfPreset('A: a convolution'));
      const [focus, reads, cell] = [await border('focus'), await border('reads'), await border('cell:not(.reads, .focus)')]; // prettier-ignore
      expect(focus).toMatch(/^4px solid/);
      expect(reads).toMatch(/^2px solid/);
      expect(cell).toMatch(/^1px solid/);
      const checked = "getComputedStyle(document.querySelector('input:checked + span')).backgroundColor";
      const page_ = 'getComputedStyle(document.body).backgroundColor';
      expect(await page.evaluate(checked)).not.toBe(await page.evaluate(page_));
    });

    inExplorer('moves nothing where that is asked for', async (page) => {
      const duration = "getComputedStyle(document.querySelector('tbody td')).transitionDuration";
      await page.look({ media: { 'prefers-reduced-motion': 'reduce' } });
      await open(page, KINDS[0]);
      expect(await page.evaluate(duration)).toBe('0s');
      await page.look({ media: { 'prefers-reduced-motion': 'no-preference' } });
      expect(await page.evaluate(duration)).not.toBe('0s');
    });

    inExplorer('links cells by outlines and arrows, which follow them', async (page) => {
      const outside = `(() => {
        const box = (element) => element.getBoundingClientRect();
        const rects = Array.from(document.querySelectorAll('.traces rect'), box);
        const isIn = (cell) => rects.some((r) => r.left < cell.left && r.right > cell.right && r.top < cell.top && r.bottom > cell.bottom);
        return Array.from(document.querySelectorAll('td.reads, td.feeds'), box).filter((cell) => !isIn(cell)).length;
      })()`;
      await page.look({});
      await open(page, stateOfPreset('A: its gradient of x'));
      expect(await page.evaluate("document.querySelectorAll('.traces path').length")).toBe(2); // from dy, from the filter
      expect(await page.evaluate("document.querySelectorAll('td.reads').length")).toBe(8);
      expect(await page.evaluate(outside)).toBe(0);
      await page.look({ width: 900 });
      // In a window of another width the cells stand elsewhere. The traces follow when it is drawn.
      const drawn = 'new Promise((done) => requestAnimationFrame(done))';
      for (let i = 0; i < 100 && (await page.evaluate(outside)) !== 0; i++) await page.evaluate(drawn);
      expect(await page.evaluate(outside)).toBe(0);
    });

    inExplorer('is painted by pointer and by keyboard', async (page) => {
      await page.look({});
      await open(page, stateOfPreset('A: a convolution'));
      const click = (text: string) => page.evaluate(`Array.from(document.querySelectorAll('button')).find((b) => b.textContent === ${JSON.stringify(text)}).click()`); // prettier-ignore
      await click('Paint x');
      await click('Blank 8 × 8');
      const at = async (index: number) => {
        const place = `(() => { const { x, y, width, height } = document.querySelector('td[data-of=x][data-index="${index}"]').getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()`; // prettier-ignore
        return page.evaluate<[number, number]>(place);
      };
      await page.drag([await at(9), await at(10), await at(11), await at(19)]);
      await page.evaluate('document.querySelector(\'td[data-of=x][data-index="24"] input\').focus()');
      await page.press('Space', 'Shift+ArrowRight', 'Shift+ArrowDown', 'ArrowDown');
      expect(await say(page, '.said')).toBe('x[4, 1] is now 9');
      await new Promise((done) => setTimeout(done, 400)); // the address waits for more
      const shown = fromHash(new URL(await page.evaluate<string>('location.href')).hash);
      expect([...shown.x.keys()].filter((i) => shown.x[i] !== 0)).toEqual([9, 10, 11, 19, 24, 25, 33]);
      expect(shown.x[9]).toBe(9);
      expect(shown.paint).toBe(9);
    });

    inExplorer(
      'is walked by keys alone: from a link, by an edit, both views and a nudge, to tfjs’s wrong gradient',
      async (page) => {
        // prettier-ignore
        const active = () => page.evaluate<string>("(({ activeElement: a }) => `${a.closest('table')?.ariaLabel ?? a.name ?? ''} ${a.closest('td')?.dataset.index ?? (a.value || a.textContent)}`.trim())(document)"); // prettier-ignore
        const tabTo = async (wanted: RegExp, key = 'Tab') => {
          for (let i = 0; i < 60 && !wanted.test(await active()); i++) await page.press(key);
          expect(await active()).toMatch(wanted);
        };
        await page.look({});
        await open(page, { ...stateOfPreset('D: stride 2'), cell: { of: 'dx', index: 6 } });
        expect(await say(page, '.sum')).toMatch(/^dx\[1, 1\] = .* = 4$/);

        await tabTo(/^dy, can be edited 0/);
        await page.press('End', 'ArrowDown', '7'); // typing replaces what was there
        expect(await active()).toBe('dy, can be edited 5');
        expect(await say(page, '.sum')).toMatch(/^dy\[1, 2\] = 7\. It adds/);

        await tabTo(/^dx 6/); // the cell of the link
        await page.press('End');
        const dx =
          'Array.from(document.querySelectorAll("td[data-of=dx]"), (td) => td.firstChild.textContent)';
        const gathered = await page.evaluate(dx);
        expect(await say(page, '.sum')).toMatch(/^dx\[1, 4\] = .*7/);
        await tabTo(/^view gather/, 'Shift+Tab');
        await page.press('ArrowRight');
        expect(await active()).toBe('view scatter');
        expect(await page.evaluate(dx)).toEqual(gathered);
        await tabTo(/^dx 9/); // the grid has kept the place
        expect(await say(page, '.sum')).toMatch(/^dx\[1, 4\] = .*7/);

        await tabTo(/^Nudge$/);
        expect(await say(page, '.nudge')).toContain('Nudge x[1, 4]');
        await page.press('Space');
        expect(await say(page, '.said')).toBe('x[1, 4] is now 1.1');
        expect(await say(page, '.lines')).toContain('✓ Both agree');

        await tabTo(/^example/, 'Shift+Tab');
        const row1 = PRESETS.findIndex(({ title }) => title.startsWith('Row 1:'));
        await page.press(...Array<string>(row1 + 1).fill('ArrowDown'));
        expect(await active()).toBe(`example ${row1}`);
        await tabTo(/^dx 8/);
        expect(await say(page, '.sum')).toBe('dx[2, 2] = 1 / 1 = 1');
        await tabTo(/^dx of tfjs 4.22 /);
        await page.press('End', 'ArrowDown', 'ArrowDown');
        expect(await say(page, '.sum')).toBe('tfjs’s dx[2, 2] = 1 / 4 = 0.25');
        expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('row 2, column 2: 0.25, wrong');
        expect(await say(page, '.lines')).toContain('✗ tfjs 4.22 says 0.25 here');
        await page.press('PageUp');
        expect(await say(page, '.said')).toBe('x[2, 2] is now 10');
        expect(await say(page, '.lines')).toContain('(24 − 23) / 1 = 1');
      },
    );
  });

  it('has an explorer that needs no scrolling sideways', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    expect(await overflows([320, 768, 1280])).toEqual([]);
  }, 120_000);

  it('checks a model without loading anything more, on a page as narrow as a phone', async () => {
    if (!findChromium()) return pending(CHROMIUM_HINT);
    const text = await openPage(CHECK_EXAMPLE);
    expect(text).toContain('✓ On wasm: right with tfjs’s kernels, right with the plugin’s.');
    expect(text).toMatch(/loaded later: $/m);
    expect(text).toContain('overflow: 0');
  }, 120_000);
});

/** Widths of windows. At the first and the third of them axe looks at the page, too. */
const WIDTHS = [320, 768, 1280, 1920];

/**
 * Opens the page in a frame, and looks at it before and after a comparison, with a picture of errors beyond their bounds, and after the check of
 * the example. Returns what axe finds and where the page is wider than its window.
 */
async function faultsOfPage(flags: readonly string[]): Promise<string[]> {
  const inFrame = `
    ${AXE}
    const until = async (found) => {
      while (!found()) await new Promise((done) => setTimeout(done, 20));
      return found();
    };
    const look = async (state) => {
      for (const width of ${JSON.stringify(WIDTHS)}) {
        frameElement.style.width = width + 'px';
        await new Promise((done) => setTimeout(done, 100));
        const { scrollWidth } = document.documentElement;
        const wide = scrollWidth > width ? ['is ' + scrollWidth + ' px wide'] : [];
        const found = width === ${WIDTHS[0]} || width === ${WIDTHS[2]} ? await findings() : [];
        for (const fault of [...wide, ...found]) send({ message: state + ', ' + width + ' px: ' + fault });
      }
      send({ message: state });
    };
    addEventListener('load', async () => {
      const section = await until(() => document.querySelector('[aria-labelledby=compare]'));
      const [model] = document.querySelectorAll('[aria-labelledby=model]');
      const ended = (section) => until(() => /^[✓✗?]/.test(section.querySelector('.verdict').textContent));
      await look('before');
      const [kernel, one] = section.querySelectorAll('select');
      for (const [select, value] of [[kernel, 'AvgPoolGrad'], [one, '2x2, same, odd size']]) {
        select.value = value;
        select.dispatchEvent(new Event('change'));
      }
      section.querySelector('form').requestSubmit();
      await ended(section);
      await look('compared');
      section.querySelector('[aria-label^="tfjs’s own kernel on cpu"]').click();
      await look('beyond');
      model.querySelector('select').value = 'wasm';
      model.querySelector('[type=checkbox]').click();
      model.querySelector('button[type=button]').click();
      await ended(model);
      model.querySelector('details').open = true;
      await look('model');
      send({ done: true });
    });`;
  const atTop = `
    addEventListener('load', () => {
      const frame = Object.assign(document.createElement('iframe'), { src: '/' });
      frame.style = 'height: 900px; border: 0';
      document.body.replaceChildren(frame);
    });`;
  const page = readFileSync('build/demo/index.html', 'utf8');
  const script = `<script>${SENDER} if (window === top) { ${atTop} } else { ${inFrame} }</script>`;
  const found: string[] = [];
  const open = (url: string) => openChromium(url, [...CHROMIUM_FLAGS, '--hide-scrollbars', ...flags]);
  const fileOf = (path: string) => ({ file: join('build/demo', path) });
  await inBrowser<string>(page.replace('</head>', () => `${script}</head>`), fileOf, (text) => found.push(text), { open }); // prettier-ignore
  return found;
}

/** The cells whose text has a contrast below 4.5, as WCAG computes it from the colours of text and background. */
const PALE = `(() => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return Array.from(context.getImageData(0, 0, 1, 1).data);
  };
  const behind = (element) => {
    const color = rgba(getComputedStyle(element).backgroundColor);
    return color[3] > 0 ? color : behind(element.parentElement);
  };
  const light = (color) => {
    const [r, g, b] = color.map((value) => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (element) => {
    const [p, q] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    return (Math.max(p, q) + 0.05) / (Math.min(p, q) + 0.05);
  };
  document.querySelectorAll('tbody td').forEach((td) => (td.style.transition = 'none'));
  return Array.from(document.querySelectorAll('tbody td, tbody td input, th, .sign'))
    .filter((element) => contrast(element) < 4.5)
    .map((element) => [element.className, element.textContent, contrast(element)].join(' '));
})()`;

/** Computes the first example by the kernels of cpu. Returns the scripts that were asked for then, and what the page says. */
async function askBackend(): Promise<[asked: string[], texts: string[]]> {
  const page = readFileSync('build/demo/explorer.html', 'utf8');
  const click = `<script>
    ${SENDER}
    addEventListener('load', async () => {
      await send({ message: ['before the click'] });
      document.querySelector('.kernels button').click();
      const texts = () => Array.from(document.querySelectorAll('.kernels p'), (p) => p.textContent);
      while (texts().length === 0) await new Promise((done) => setTimeout(done, 20));
      await send({ message: texts() });
      send({ done: true });
    });
  </script>`;
  const asked: string[] = [];
  const messages: string[][] = [];
  const fileOf = (path: string) => {
    if (messages.length > 0 || path === '/backend.js') asked.push(path);
    return { file: join('build/demo', path) };
  };
  await inBrowser<string[]>(page.replace('</head>', `${click}</head>`), fileOf, (sent) => {
    messages.push(sent);
    if (messages.length === 1) asked.push(...sent);
  });
  return [asked, messages[1]];
}

/** Opens each example at these widths. Returns those in which the page is wider than its window. */
async function overflows(widths: number[]): Promise<string[]> {
  const [page, script, css] = ['html', 'js', 'css'].map((kind) => readFileSync(`build/demo/explorer.${kind}`, 'utf8')); // prettier-ignore
  const measure = `<script>
    ${SENDER}
    addEventListener('load', async () => {
      if (window !== top) return;
      for (const width of ${JSON.stringify(widths)}) {
        for (const hash of ${JSON.stringify([...PRESETS.map(({ state }) => state), LARGEST].map(toHash))}) {
          const frame = document.createElement('iframe');
          frame.style.width = width + 'px';
          frame.src = '/?' + hash;
          document.body.append(frame);
          await new Promise((done) => (frame.onload = done));
          frame.contentDocument.querySelectorAll('details').forEach((details) => (details.open = true));
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
