/**
 * Specs of what `compare` and `npm start` say: the HTML report, at which they look in Chromium as a reader would, and the terminal.
 */
import { CHROMIUM_HINT, findChromium, inBrowser, SENDER } from '../src/cli/browser.js';
import { tf } from './support/tfjs.js';
import { spread } from '../src/cli/cells.js';
import type { Comparison } from '../src/cli/comparison.js';
import { backwardOnTenDigits, featureMaps } from '../src/cli/feature-maps.js';
import { loadDigits } from '../src/cli/mnist.js';
import { pageOf, type Report } from '../src/cli/report.js';
import { printComparisons, printExamples, printKernels, printSpeeds, printTraining, wrapped } from '../src/cli/print.js'; // prettier-ignore
import { runComparisons } from '../src/cli/run-comparisons.js';
import { type Run, trainingOf, trainingTable } from '../src/cli/training.js';
import { workedExamples } from '../src/cli/worked-examples.js';
import { AXE } from './support/axe.js';

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

const report: Report = {
  machine: 'A machine, 2 cores',
  versions: { Node: 'v20', 'TensorFlow.js': '4.22.0', Backend: 'cpu' },
  date: '2026-11-29',
  ok: true,
  comparisons: [],
};

const reportOn = (comparisons: Comparison[], from?: string, notCompared?: string[]) =>
  pageOf({ ...report, ok: comparisons.every(({ ok }) => ok), comparisons, from, notCompared });

/** The part of the report between two texts. */
const between = (html: string, from: string, to: string) => html.split(from)[1].split(to)[0];

/** The names of the marks in a plot. */
function marksOf(html: string, caption: string): string[] {
  const figure = html.split('<figure>').find((part) => part.includes(`<figcaption>${caption}`)) ?? '';
  return Array.from(figure.matchAll(/<title>([^<]*)/g), ([, title]) => title);
}

/** Many kernels and cases with names of all lengths. Of every fifth kernel most cases fail, in all ways. */
const many: Comparison[] = Array.from({ length: 20 }, (_, i) =>
  Array.from({ length: 12 }, (_, j) => {
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

/** What `npm start` writes, of some kernels, and with a training and speeds that were not measured. */
const wholeReport = () => (whole ??= makeReport());
let whole: Promise<Report> | undefined;

async function makeReport(): Promise<Report> {
  await tf.setBackend('cpu');
  const { train: digits } = loadDigits(10, 1, 1);
  const examples = [...workedExamples(), backwardOnTenDigits(digits)];
  const asked = { op: 'DepthwiseConv2d', case: '', seed: 1, milliseconds: 0 };
  const comparisons = await runComparisons(asked, undefined, () => {});
  const speed = {
    name: 'conv2d, stride 2',
    backend: 'cpu',
    shapes: '1x224x224x3, 7x7x3x64',
    milliseconds: [5, 6, 9],
  };
  const speeds = [
    { ...speed, ratios: [40, 60, 70] },
    { ...speed, backend: 'wasm', ratios: null },
  ];
  const training = trainingOf([run('tfjs on cpu', 4), run('plugin on cpu', 50), run('plugin on wasm', 50)]);
  return { ...report, examples, comparisons, speeds, training, featureMaps: featureMaps(digits) };
}

/** A training whose losses fall. */
function run(title: string, steps: number, off = 0): Run {
  const losses = Array.from({ length: steps }, (_, i) => 2.3 * 0.96 ** i + off);
  const kernels = ['BatchMatMul', 'Conv2DBackpropFilter'].map((kernelName) => ({ kernelName, calls: 2, milliseconds: 12.3456 })); // prettier-ignore
  return { title, losses, msPerStep: losses.map(() => 31.4), kernels };
}

/** The same, where something fails in each part. */
function withFailures(report: Report): Report {
  const { examples = [], comparisons } = report;
  const worst: Comparison['worst'] = { proof: 'rounded', element: [0, 2, 1, 3], got: 0.5123456789, want: 0.25, bound: 1.25e-7 }; // prettier-ignore
  return {
    ...report,
    ok: false,
    examples: examples.map((example, i) =>
      i % 5 === 0 ? { ...example, want: '[1]', remark: 'element [0] is 2, want 1', ok: false } : example,
    ),
    comparisons: comparisons.map((row, i) =>
      i % 40 === 7
        ? { ...row, error: Infinity, worst, ok: false }
        : i % 40 === 9
          ? { ...row, ...thrown, op: row.op, case: row.case, message: 'It does not compile: '.repeat(30) }
          : row,
    ),
    training: trainingOf([run('tfjs on cpu', 4), run('plugin on cpu', 50, 0.2), run('plugin on wasm', 50)]),
  };
}

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

  it('says so where no case was timed, and has no speeds then', () => {
    const html = reportOn([thrown, { ...right, timeRatio: null }]);
    expect(html.match(/speed/gi)?.length).toBe(1);
    expect(html).toContain('<p>There are no speeds to show.');
    expect(reportOn([thrown, right])).not.toContain('no speeds');
  });

  it('gives speeds no more than two digits', () => {
    const html = reportOn([{ ...right, timeRatio: 12.345 }]);
    expect(html.match(/<td>12\n|<td>12</g)?.length).toBe(2);
  });

  it("plots a gradient's error where that is larger", () => {
    const html = reportOn([{ ...right, error: 0.25, gradientError: 0.75 }, { ...right, case: '1x1', error: 0.5 }]); // prettier-ignore
    expect(marksOf(html, 'Error').sort()).toEqual(['Conv2D, 1x1: 0.5', 'Conv2D, same: 0.75']);
  });

  it('lists failed kernels and cases first, in a list that is open, with what is wrong', () => {
    const html = reportOn([{ ...right, op: 'MaxPool' }, right, { ...thrown, case: 'valid' }]);
    const failing = between(html, '<details open><summary>Conv2D', '</details>');
    expect(failing).toContain('✗ 1 of 2 failed');
    expect(failing.indexOf('<td>valid')).toBeLessThan(failing.indexOf('<td>same'));
    expect(failing).toContain('✗ ∞');
    expect(failing).toContain('<li><strong>valid</strong> not yet');
    expect(html.split('<details open>')[1]).toContain('<details><summary>MaxPool: 1 of 1 right');
    const kernels = between(html, 'aria-label="Kernels"', '</table>');
    expect(kernels.indexOf('Conv2D')).toBeLessThan(kernels.indexOf('MaxPool'));
    expect(html).toContain('✗ Something disagrees</strong>: 1 of 3 comparisons failed.');
  });

  it('says which element is wrong, what it is and what it must be', () => {
    const worst: Comparison['worst'] = { proof: 'rounded', element: [0, 2], got: 0.5, want: 0.25, bound: 0.125 }; // prettier-ignore
    const html = reportOn([{ ...wrong, worst, message: 'magnitude was not given.' }]);
    const element = 'rounded: element [0, 2] is 0.5, want 0.25: the error is 2.00 times the bound 0.125';
    expect(html).toContain(`<li><strong>same</strong> ${element} magnitude was not given.`);
  });

  it('says what is known of the built-in, and of which table the rows are that it names', () => {
    const reason = 'row 4: dilations are ignored';
    const builtins = ['equal', 'differs', 'none', reason].map((builtin) => ({ ...right, builtin }));
    const html = reportOn(builtins);
    for (const remark of ['equal', 'differs', 'none']) expect(html).toContain(`<td>${remark}\n`);
    expect(html).toContain(`differs, ${reason}`);
    expect(html).toContain('Rows are those of docs/deviations.md');
    expect(reportOn([right])).not.toContain('deviations.md');
  });

  it('shows failed examples first, with the first element that is wrong, and a long array by its shape', () => {
    const long = JSON.stringify([Array(40).fill(1), Array(40).fill(0.5)]);
    const html = pageOf({
      ...report,
      examples: [
        { id: 'A1', title: 'short', got: '[1]', want: '[1]', ok: true },
        { id: 'A2', title: 'long', got: long, want: '[2]', remark: 'element [0, 0] is 1, want 2', ok: false },
      ],
    });
    const [, first, second] = between(html, 'aria-label="Worked examples"', '</table>')
      .split('<tbody>')[1]
      .split('<tr>');
    expect(first).toContain('long: element [0, 0] is 1, want 2');
    expect(first).toContain(`<summary>shape [2, 40], sum 60: 1, 1, 1, 1 ...</summary>${long}</details>`);
    expect(first).toContain('<td>[2]');
    expect(second).toContain('<td>[1]<td>the same');
    expect(html).toContain('1 of 2 worked examples failed');
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
      unnamed: string[];
      wider: number;
      findings: string[];
    }

    /** Looks at a page of a width, in light or dark, for what a reader could not read. All that is folded is open. */
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
      /** The boxes of an element's own texts. */
      const textBoxes = (element) => [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim()).flatMap((node) => {
        const range = element.ownerDocument.createRange();
        range.selectNodeContents(node);
        return [...range.getClientRects()];
      });
      async function look(html, width, scheme) {
        const frame = document.createElement('iframe');
        frame.style.cssText = 'border: 0; height: 200000px; width: ' + width + 'px'; // no scrollbar beside the page, as on a phone
        frame.srcdoc = html + axeScript;
        document.body.append(frame);
        await new Promise((done) => frame.addEventListener('load', done));
        const page = frame.contentDocument;
        const styleOf = (element) => frame.contentWindow.getComputedStyle(element);
        page.documentElement.style.colorScheme = scheme;
        for (const details of page.querySelectorAll('details')) details.open = true;
        const background = styleOf(page.documentElement).backgroundColor;
        const texts = [...page.querySelectorAll('svg text')].filter((text) => text.textContent);
        const boxes = texts.map((text) => text.getBoundingClientRect());
        const overlaps = texts.flatMap((a, i) => texts.slice(i + 1).flatMap((b, k) => {
          const [p, q] = [boxes[i], boxes[i + 1 + k]];
          const apart = p.right < q.left || q.right < p.left || p.bottom < q.top + 2 || q.bottom < p.top + 2;
          return apart ? [] : [a.textContent + ' | ' + b.textContent];
        }));
        const cutTexts = texts.filter((text, i) => {
          const svg = text.ownerSVGElement.getBoundingClientRect();
          return boxes[i].left < svg.left - 1 || boxes[i].right > svg.right + 1 || boxes[i].top < svg.top - 1 || boxes[i].bottom > svg.bottom + 1;
        });
        const scrolling = [...page.querySelectorAll('.scroll')];
        const elements = [...page.querySelectorAll('main *')].filter((element) => !element.ownerSVGElement && element.localName !== 'svg');
        const cutElements = elements.filter((element) => {
          const region = element.closest('.scroll');
          // What is in a region is seen when it is scrolled: from the region's left edge on, over its whole content.
          const left = region ? region.getBoundingClientRect().left - region.scrollLeft : 0;
          const right = region ? left + region.scrollWidth : width;
          const { overflowX } = styleOf(element);
          const clips = overflowX !== 'visible' && !(element === region && overflowX === 'auto');
          return textBoxes(element).some((box) => box.left < left - 1 || box.right > right + 1)
            || (clips && (element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight));
        });
        const sizeOf = (text) => parseFloat(styleOf(text).fontSize) * text.getScreenCTM().a;
        const colors = new Map(); // color -> an element that has it
        for (const element of [...page.querySelectorAll('p, td, .failed'), ...texts]) {
          const style = styleOf(element);
          if (!element.closest('.pictures')) colors.set(element.ownerSVGElement ? style.fill : style.color, element);
        }
        const faint = [...colors.keys()].filter((color) => contrast(color, background) < 4.5);
        const names = (elements) => [...new Set(elements.map((element) => element.textContent))].slice(0, 5);
        const labels = scrolling.map((region) => region.getAttribute('aria-label'));
        const seen = {
          overlaps: overlaps.slice(0, 5),
          cut: names([...cutTexts, ...cutElements]),
          small: names(texts.filter((text) => sizeOf(text) < 10)),
          faint: names(faint.map((color) => colors.get(color))),
          unnamed: names(scrolling.filter((region, i) => region.tabIndex !== 0 || !labels[i] || labels.indexOf(labels[i]) < i)),
          wider: page.documentElement.scrollWidth - page.documentElement.clientWidth,
          findings: [320, 1280].includes(width) ? await frame.contentWindow.eval('findings()') : [],
        };
        frame.remove();
        return seen;
      }`;

    /** Looks at the report at all widths and in both themes. */
    async function looked(html: string): Promise<Record<string, Seen>> {
      const page = `<!doctype html><meta charset="utf-8"><body><script type="module">
        ${SENDER} ${LOOK}
        const textOf = async (path) => (await fetch(path)).text();
        const html = await textOf('/report');
        const axeScript = '<script>' + (await textOf('/axe')) + '</' + 'script>';
        for (const width of ${JSON.stringify(WIDTHS)})
          for (const scheme of ['light', 'dark'])
            await send({ message: { [width + ', ' + scheme]: await look(html, width, scheme) } });
        await send({ done: true });
      </script>`;
      const texts: Record<string, string> = { '/report': html, '/axe': AXE };
      const fileOf = (path: string) => (path in texts ? { text: texts[path] } : undefined);
      const seen: Record<string, Seen> = {};
      await inBrowser<Record<string, Seen>>(page, fileOf, (message) => Object.assign(seen, message));
      return seen;
    }

    const WIDTHS = [320, 768, 1280, 1920];
    const good: Seen = { overlaps: [], cut: [], small: [], faint: [], unnamed: [], wider: 0, findings: [] };
    const allGood = Object.fromEntries(
      WIDTHS.flatMap((width) => ['light', 'dark'].map((scheme) => [`${width}, ${scheme}`, good])),
    );

    const reports: [name: string, make: () => Promise<string>][] = [
      ['of npm start', async () => pageOf(await wholeReport())],
      ['of npm start with failures', async () => pageOf(withFailures(await wholeReport()))],
      ['of compare', async () => reportOn([right, { ...right, op: 'MaxPool' }], 'a-module.js')],
      ['of compare with failures', async () => reportOn(many, 'a-module-with-a-long-name.js', ['Add'])],
    ];
    for (const [name, make] of reports) {
      it(`${name} can be read from 320 to 1920 px, in light and in dark, and axe finds nothing`, async () => {
        if (!findChromium()) return pending(CHROMIUM_HINT);
        expect(await looked(await make())).toEqual(allGood);
      }, 180_000);
    }
  });
});

describe('the terminal', () => {
  let log: jasmine.Spy<typeof console.log>;
  beforeEach(() => (log = spyOn(console, 'log')));

  /** What is printed, in lines. */
  function printed(print: () => void): string[] {
    log.calls.reset();
    print();
    return log.calls
      .allArgs()
      .map(([text = '']) => text as string)
      .join('\n')
      .split('\n');
  }

  const printAll = ({ examples = [], comparisons, speeds = [], training }: Report) => {
    printExamples(examples);
    printKernels(comparisons);
    printSpeeds(speeds);
    printTraining(training!);
    printComparisons(comparisons, ['AKernel', 'Another']);
    printComparisons(many, Array(20).fill('AKernel'));
  };

  it('needs no more than 80 columns', async () => {
    const whole = await wholeReport();
    for (const report of [whole, withFailures(whole)])
      expect(printed(() => printAll(report)).filter((line) => line.length > 80)).toEqual([]);
  });

  it('shows measured values with no more digits than their spread allows', () => {
    expect(spread([3.24, 2.71, 3.86])).toBe('3.2 (2.7-3.9)');
    expect(spread([137, 93, 412])).toBe('100 (90-400)');
    expect(spread([0.5512])).toBe('0.55 (0.55-0.55)');
    const [, [, ...ms]] = trainingTable(trainingOf([run('tfjs', 4), run('plugin', 4)])).slice(1);
    expect(ms).toEqual(['31', '31']);
  });

  it('loses nothing of what it breaks into lines', () => {
    const text = `    a ${'long '.repeat(40)}text and a ${'word'.repeat(50)} at its end`;
    const lines = wrapped(text, 6).split('\n');
    expect(lines.slice(1).every((line) => /^ {6}\S/.test(line))).toBeTrue();
    expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
    expect(lines.some((line) => /lon$|wor$/.test(line) && line.length < 80)).toBeFalse();
  });

  it('says how many failed, and has them first, with what is wrong', () => {
    const worst: Comparison['worst'] = { proof: 'rounded', element: [0, 2], got: 0.5, want: 0.25, bound: 0.125 }; // prettier-ignore
    const rows = [{ ...right, op: 'MaxPool' }, right, { ...wrong, case: 'valid', worst }];
    for (const print of [printKernels, printComparisons]) {
      const text = printed(() => print(rows)).join('\n');
      expect(text).toMatch(/Conv2D\W+1 of 2 failed[^]*MaxPool\W+1 of 1 right[^]*\n1 of 3 failed\n/);
      expect(text).toMatch(
        /valid[^]*\n {5}rounded: element \[0, 2\] is 0\.5, want 0\.25: the error is 2\.00 times/,
      );
    }
    const examples = [
      { id: 'A1', title: 'one', got: '[1]', want: '[1]', ok: true },
      { id: 'A2', title: 'two', got: '[1]', want: '[2]', remark: 'element [0] is 1, want 2', ok: false },
    ];
    expect(printed(() => printExamples(examples))).toEqual([
      'Worked examples',
      'NO A2   two',
      '        got  [1]',
      '        want [2]',
      '        element [0] is 1, want 2',
      'ok A1   one',
      '1 of 2 failed',
      '',
    ]);
  });
});
