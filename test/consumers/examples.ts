/** The folders of examples/, run with the packed plugin. Each trains a model, and says so in the end. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Consumer } from './consumers.js';
import { openPage, REPORT } from './pages.js';
import { node } from './projects.js';

const LAST = /\ndone (on .*)\n$/;

/** A script that sends what the page shows as soon as its last line is there. */
const SEND = `${REPORT}
const timer = setInterval(() => {
  const { textContent } = document.querySelector('pre');
  if (!${LAST}.test(textContent) && !/FAILED/.test(textContent)) return;
  clearInterval(timer);
  globalThis.send(textContent);
}, 100);`;

/** Copies the example below the folder of its packages. */
function copied(parent: string, name: string): string {
  const folder = join(parent, name);
  cpSync(`examples/${name}`, folder, { recursive: true, filter: (path) => !path.includes('node_modules') });
  symlinkSync('../node_modules', join(folder, 'node_modules'), 'junction');
  return folder;
}

function lastLine(printed: string, last = LAST): string {
  const [, line] = last.exec(printed) ?? [];
  if (!line) throw new Error(`It ends with '${printed.slice(-200)}', which must match ${last}.`);
  return line;
}

function inNode(name: string, last = LAST): Consumer {
  return {
    name: `example ${name}`,
    packages: 'bundlers',
    run: async (parent) => lastLine(await node(copied(parent, name), 'train.js'), last),
  };
}

/** @param page the path of the page in the example's folder, and of what Vite makes of it */
function inPage(name: string, page: string): Consumer {
  return {
    name: `example ${name}`,
    packages: 'bundlers',
    needsBrowser: true,
    async run(parent) {
      const folder = copied(parent, name);
      const source = join(folder, 'index.html');
      writeFileSync(source, readFileSync(source, 'utf8').replace('</pre>', `</pre><script>${SEND}</script>`));
      if (page.startsWith('dist'))
        await node(folder, join(parent, 'node_modules/vite/bin/vite.js'), 'build', '--base', './');
      return lastLine(await openPage(parent, `${name}/${page}`, { fromFile: !page.startsWith('dist') }));
    },
  };
}

export const EXAMPLES: readonly Consumer[] = [
  inPage('script-tag', 'index.html'),
  inPage('vite-page', 'dist/index.html'),
  inPage('worker', 'dist/index.html'),
  inNode('node-training'),
  inNode('layers-groups', /loaded model on (.*)\nIt predicts what the saved model did\.\n$/),
];
