/**
 * `npm run api:docs`: makes docs/api, the reference of every entry of the package, from the doc comments. With --check it writes
 * nothing there: it names the pages that are out of date, and fails.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Application, Comment, Converter } from 'typedoc';

const isCheck = process.argv[2] === '--check';
const KEPT = 'docs/api';
const MADE = isCheck ? 'build/api-docs' : KEPT;

const entries = JSON.parse(readFileSync('scripts/entries.json', 'utf8'));

rmSync(MADE, { recursive: true, force: true });
const app = await Application.bootstrapWithPlugins({
  entryPoints: entries.map(({ source }) => source),
  tsconfig: 'tsconfig.build.json',
  plugin: ['typedoc-plugin-markdown'],
  out: MADE,
  logLevel: 'Error',
  name: 'API reference',
  readme: 'none',
  githubPages: false,
  disableSources: true,
  excludeExternals: true,
  excludePrivate: true,
  excludeProtected: true,
  skipErrorChecking: true, // npm run typecheck has checked
  outputFileStrategy: 'modules',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  parametersFormat: 'table',
});
app.converter.on(Converter.EVENT_END, ({ project }) => project.children.forEach(describe));
const project = await app.convert();
await app.generateOutputs(project);

if (isCheck) {
  const isStale = pagesIn(KEPT, MADE).filter((page) => read(KEPT, page) !== read(MADE, page));
  if (isStale.length > 0) {
    console.error(
      `Out of date in ${KEPT}: ${isStale.join(', ')}. Run \`npm run api:docs\` where a doc comment or a type has changed.`,
    );
    process.exit(1);
  }
}

/** Gives an entry's page the doc comment with which its source opens. */
function describe(entry) {
  const { source } = entries.find(({ name }) => name === entry.name);
  const [, text] = /^\/\*\*([^]*?)\*\//.exec(readFileSync(source, 'utf8'));
  entry.comment = new Comment([{ kind: 'text', text: text.replace(/^ *\* ?/gm, '').trim() }]);
}

function pagesIn(...folders) {
  const names = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true }));
  return [...new Set(names)].filter((name) => name.endsWith('.md')).sort();
}

function read(folder, page) {
  const path = join(folder, page);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
