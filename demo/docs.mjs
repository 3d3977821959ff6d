/**
 * The pages that the explorer links to, as HTML: the course in docs/learn and docs/deviations.md. They lead to each other and to the
 * explorer. Links to anything else of the repository become text, as the static build has no more.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import markdownIt from 'markdown-it';

const LEARN = readdirSync('docs/learn').filter((name) => name.endsWith('.md'));
const PAGES = ['docs/deviations.md', ...LEARN.map((name) => `docs/learn/${name}`)];
const FIGURES = ['docs/figures/infinity.svg'];

/** Writes the pages into a folder, in which they stand as in the repository. */
export function writeDocs(folder) {
  for (const path of PAGES) write(join(folder, toHtml(path)), htmlOf(path));
  for (const path of FIGURES) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    copyFileSync(path, join(folder, path));
  }
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const toHtml = (path) => path.replace(/\.md\b/, '.html');

function htmlOf(path) {
  const text = readFileSync(path, 'utf8');
  const [, title] = /^# (.*)$/m.exec(text);
  const root = relative(dirname(path), '.');
  const body = markdown(path, root).render(text);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title}</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="${root}/docs.css" />
  </head>
  <body>
    <nav aria-label="Pages">
      <a href="${root}/explorer.html">The explorer</a>
      <a href="${root}/docs/learn/README.html">The course</a>
    </nav>
    <main>
${body}
    </main>
  </body>
</html>
`;
}

function markdown(path, root) {
  const md = markdownIt();
  const { rules } = md.renderer;
  rules.heading_open = (tokens, i) => `<${tokens[i].tag} id="${slug(tokens[i + 1].content)}">`;
  let tables = 0;
  rules.table_open = () =>
    `<div class="scroll" tabindex="0" role="region" aria-label="Table ${++tables}"><table>`;
  rules.table_close = () => '</table></div>';
  for (const name of ['fence', 'code_block']) {
    const block = rules[name];
    rules[name] = (...args) => block(...args).replace('<pre>', '<pre tabindex="0">'); // the arrow keys scroll it
  }
  // The first cell of a row of the deviations is its number, to which the explorer links.
  rules.tr_open = (tokens, i) => {
    const first = tokens[i + 2]?.content ?? '';
    return /^\d+$/.test(first) ? `<tr id="row-${first}">` : '<tr>';
  };
  rules.link_open = (tokens, i) => {
    const [file, hash] = tokens[i].attrGet('href').split('#');
    const target = file ? join(dirname(path), file) : path;
    tokens[i].meta = PAGES.includes(target);
    return tokens[i].meta ? `<a href="${file && toHtml(file)}${hash ? `#${hash}` : ''}">` : '<span>';
  };
  rules.link_close = (tokens, i) => (openingOf(tokens, i).meta ? '</a>' : '</span>');
  const code = rules.code_inline;
  rules.code_inline = (tokens, i, ...rest) => {
    const { content } = tokens[i];
    const isState = content.startsWith('explorer.html#');
    return isState
      ? `<a href="${root}/${md.utils.escapeHtml(content)}">see it</a>`
      : code(tokens, i, ...rest);
  };
  return md;
}

/** The token that opens the link which ends here. Links do not stand in each other. */
const openingOf = (tokens, i) => tokens.slice(0, i).findLast(({ type }) => type === 'link_open');

/** As GitHub names headings. */
const slug = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\d -]/gu, '')
    .replaceAll(' ', '-');
