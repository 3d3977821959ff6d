/** Specs of the HTML report, of `compare` and of `npm start`. In Chromium they look at it as a reader would. */
import { CHROMIUM_HINT, findChromium, inBrowser, SENDER } from '../src/cli/browser.js';
import type { Comparison } from '../src/cli/comparison.js';
import { pageOf, type Report } from '../src/cli/report.js';

const right: Comparison = {
  op: 'Conv2D',
  case: 'same',
  error: 0.25,
  gradientError: null,
  builtin: 'equal',
  builtinError: 0,
  timeRatio: 2,
  ok: true,
};
const wrong: Comparison = { ...right, error: Infinity, builtin: 'differs', timeRatio: 0.5, ok: false };
const thrown: Comparison = {
  ...right,
  error: Infinity,
  builtin: 'none',
  builtinError: null,
  timeRatio: null,
  message: 'not yet',
  ok: false,
};

function reportOn(comparisons: Comparison[], from?: string, notCompared?: string[]): string {
  const report: Report = {
    machine: 'A machine, 2 cores',
    versions: { Node: 'v20', 'TensorFlow.js': '4.22.0', Backend: 'cpu' },
    date: '2026-11-29',
    ok: comparisons.every(({ ok }) => ok),
    comparisons,
    from,
    notCompared,
  };
  return pageOf(report);
}

/** The part of the report between two texts. */
const between = (html: string, from: string, to: string) => html.split(from)[1].split(to)[0];

/** The names of the marks in a plot. */
function marksOf(html: string, caption: string): string[] {
  const figure = html.split('<figure>').find((part) => part.includes(`<figcaption>${caption}`)) ?? '';
  return Array.from(figure.matchAll(/<title>([^<]*)/g), ([, title]) => title);
}

/** Many kernels and cases with names of all lengths. Of every fifth kernel most cases fail, in all ways. */
const many: Comparison[] = Array.from({ length: 20 }, (_, i) =>
  Array.from({ length: 30 }, (_, j) => {
    const names = {
      op: `Kernel${i}${'WithALongName'.repeat(i % 4)}`,
      case: `case ${j}, ${'long, '.repeat(j % 7)}same`,
    };
    if (i % 5 > 0 || j % 4 === 0) return { ...right, ...names, error: j / 40, timeRatio: 1.3 ** (i - j) };
    const numbers = { gradientError: 4 ** j, timeRatio: 1.4 ** (j - i) };
    return j % 4 === 1
      ? { ...thrown, ...names, message: 'no, '.repeat(100) }
      : { ...wrong, ...names, ...numbers };
  }),
).flat();

describe('the report', () => {
  it('names the module whose kernels were compared, and claims none of them', () => {
    const html = reportOn([right, wrong], 'foreign.js');
    expect(html).toContain('<dt>Kernels<dd>foreign.js');
    expect(html).toContain('The kernels of foreign.js ran on random inputs.');
    expect(html.replace(/<style>[^]*?<\/style>/g, '')).not.toMatch(/\bours?\b|plugin|of tfjs-convgrad/i);
  });

  it('names the kernels of which there is no case', () => {
    const html = reportOn([right], 'foreign.js', ['<Add>', 'Sub']);
    expect(html).toContain('<p>Not compared, because no case runs them: &#60;Add&#62;, Sub.</p>');
    expect(reportOn([right], 'foreign.js', [])).not.toContain('Not compared');
  });

  it('says that the kernels are of this package where they are', () => {
    expect(reportOn([right])).toContain('<dt>Kernels<dd>of tfjs-convgrad');
  });

  it('draws the speeds of all cases that have one, though others fail', () => {
    const html = reportOn([
      thrown,
      { ...wrong, case: 'valid' },
      { ...right, case: '1x1' },
      { ...right, op: 'MaxPool' },
    ]);
    expect(marksOf(html, 'Speed').sort()).toEqual([
      'Conv2D, 1x1: 2',
      'Conv2D, valid: 0.5',
      'MaxPool, same: 2',
    ]);
    expect(marksOf(html, 'Error').length).toBe(4);
  });

  it('says nothing of speeds where no case was timed', () => {
    const html = reportOn([thrown, { ...right, timeRatio: null }]);
    expect(html.replace(/<style>[^]*?<\/style>/g, '')).not.toMatch(/speed/i);
  });

  it("plots a gradient's error where that is larger", () => {
    const html = reportOn([{ ...right, error: 0.25, gradientError: 0.75 }, { ...right, case: '1x1', error: 0.5 }]); // prettier-ignore
    expect(marksOf(html, 'Error').sort()).toEqual(['Conv2D, 1x1: 0.5', 'Conv2D, same: 0.75']);
  });

  it('lists failed cases first, in a list that is open, with what is wrong', () => {
    const html = reportOn([right, { ...thrown, case: 'valid' }, { ...right, op: 'MaxPool' }]);
    const failing = between(html, '<details open><summary>Conv2D', '</details>');
    expect(failing).toContain('✗ 1 of 2 failed');
    expect(failing.indexOf('<td>valid')).toBeLessThan(failing.indexOf('<td>same'));
    expect(failing).toContain('✗ ∞');
    expect(failing).toContain('not yet');
    expect(html).toContain('<details><summary>MaxPool: 1\u00a0of\u00a01 right');
  });

  it('says which element is wrong, what it is and what it must be', () => {
    const worst: Comparison['worst'] = { proof: 'rounded', element: [0, 2], got: 0.5, want: 0.25, bound: 0.125 }; // prettier-ignore
    const lacks = 'magnitude was not given.';
    const html = reportOn([
      { ...wrong, worst },
      { ...wrong, builtin: 'none', worst, message: lacks },
    ]);
    const element = 'rounded: element [0, 2] is 0.5, want 0.25: the error is 2.00 times the bound 0.125';
    expect(html).toContain(`${element}. the built-in differs<`);
    expect(html).toContain(`${element}. magnitude was not given<`);
  });

  it('says what is known of the built-in', () => {
    const reason = 'row 4: dilations are ignored';
    const builtins = ['equal', 'differs', 'none', reason].map((builtin) => ({ ...right, builtin }));
    const html = reportOn(builtins);
    for (const remark of ['equals the built-in', 'the built-in differs', 'no built-in'])
      expect(html).toContain(`<td>${remark}\n`);
    expect(html).toContain(`the built-in differs, see docs/deviations.md, ${reason}`);
  });

  it('shows names as they are, whatever characters they have', () => {
    const html = reportOn([{ ...right, op: '<b>"op"&' }], '<i>.js');
    expect(html).not.toMatch(/<b>|<i>/);
    expect(html).toContain('&#60;b&#62;&#34;op&#34;&#38;');
  });

  describe('in Chromium', () => {
    interface Seen {
      overlaps: string[];
      cut: string[];
      small: string[];
      faint: string[];
      wider: number;
    }
    const seen: Record<string, Seen> = {};

    /** Looks at a page of a width, in light or dark, for what a reader could not read. */
    const LOOK = `
      const channels = (color) => {
        const context = new OffscreenCanvas(1, 1).getContext('2d');
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
      };
      // Source: WCAG 2.2, relative luminance and contrast ratio
      const luminance = (color) => {
        const [r, g, b] = channels(color).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const contrast = (a, b) => {
        const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
        return (light + 0.05) / (dark + 0.05);
      };
      async function look(html, width, scheme) {
        const frame = document.createElement('iframe');
        frame.style.width = width + 'px';
        frame.srcdoc = html;
        document.body.append(frame);
        await new Promise((done) => frame.addEventListener('load', done));
        const page = frame.contentDocument;
        page.documentElement.style.colorScheme = scheme;
        const probe = page.createElement('div');
        probe.style.background = 'Canvas';
        page.body.append(probe);
        const background = frame.contentWindow.getComputedStyle(probe).backgroundColor;
        const texts = [...page.querySelectorAll('svg text')].filter((text) => text.textContent);
        const boxes = texts.map((text) => text.getBoundingClientRect());
        const overlaps = texts.flatMap((a, i) => texts.slice(i + 1).flatMap((b, k) => {
          const [p, q] = [boxes[i], boxes[i + 1 + k]];
          const apart = p.right < q.left || q.right < p.left || p.bottom < q.top + 2 || q.bottom < p.top + 2;
          return apart ? [] : [a.textContent + ' | ' + b.textContent];
        }));
        const cut = texts.filter((text, i) => {
          const svg = text.ownerSVGElement.getBoundingClientRect();
          return boxes[i].left < svg.left - 1 || boxes[i].right > svg.right + 1;
        });
        const sizeOf = (text) => parseFloat(frame.contentWindow.getComputedStyle(text).fontSize) * text.getScreenCTM().a;
        const colors = new Map(); // color -> an element that has it
        for (const element of [...page.querySelectorAll('p, td, .failed'), ...texts]) {
          const style = frame.contentWindow.getComputedStyle(element);
          colors.set(element.ownerSVGElement ? style.fill : style.color, element);
        }
        const faint = [...colors.keys()].filter((color) => contrast(color, background) < 4.5);
        const names = (elements) => [...new Set(elements.map((element) => element.textContent))].slice(0, 5);
        const seen = {
          overlaps: overlaps.slice(0, 5),
          cut: names(cut),
          small: names(texts.filter((text) => sizeOf(text) < 10)),
          faint: names(faint.map((color) => colors.get(color))),
          wider: page.documentElement.scrollWidth - page.documentElement.clientWidth,
        };
        frame.remove();
        return seen;
      }`;

    it('can be read on a phone and on a desk, in light and in dark', async () => {
      if (!findChromium()) return pending(CHROMIUM_HINT);
      const html = reportOn(many, 'a-module-with-a-long-name.js');
      const page = `<!doctype html><meta charset="utf-8"><body><script type="module">
        ${SENDER} ${LOOK}
        const html = await (await fetch('/report')).text();
        for (const width of [400, 1280])
          for (const scheme of ['light', 'dark'])
            await send({ message: { [width + ', ' + scheme]: await look(html, width, scheme) } });
        await send({ done: true });
      </script>`;
      const fileOf = (path: string) => (path === '/report' ? { text: html } : undefined);
      await inBrowser<Record<string, Seen>>(page, fileOf, (message) => Object.assign(seen, message));
      const good: Seen = { overlaps: [], cut: [], small: [], faint: [], wider: 0 };
      expect(seen).toEqual({
        '400, light': good,
        '400, dark': good,
        '1280, light': good,
        '1280, dark': good,
      });
    }, 120_000);
  });
});
