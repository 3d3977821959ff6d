/**
 * Has a task done in a browser. The page loads tfjs's packages as they are installed in the user's project, this package, and the user's
 * module as it is.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkInstalled, folderOf, ROOT } from './backend.js';
import { inBrowser, SENDER } from './browser.js';
import type { AnyTask } from './task.js';

/** tfjs's packages that a page can load, if they are installed: each has one file that imports almost nothing but tfjs's packages. */
const TFJS = ['tfjs', 'tfjs-core', 'tfjs-converter', 'tfjs-data', 'tfjs-layers', 'tfjs-backend-cpu', 'tfjs-backend-wasm', 'tfjs-backend-webgl', 'tfjs-backend-webgpu'].map((name) => `@tensorflow/${name}`); // prettier-ignore

const SELF = 'tfjs-convgrad';
const SCRIPT = '/page.js';

/** What the page's own script brings along, because a page cannot load it from its package. */
const BROUGHT = [
  'seedrandom',
  ...['register_all_gradients', 'public/chained_ops/register_all_chained_ops'].flatMap((name) =>
    ['', '.js'].map((suffix) => `@tensorflow/tfjs-core/dist/${name}${suffix}`),
  ),
];

/** What tfjs-backend-wasm imports, and uses in Node alone. */
const NODE = ['fs', 'os', 'path', 'perf_hooks'];
const NOTHING = 'data:text/javascript,export default {}';

/** @param file the module, or the model.json, that the page loads */
export async function onPage<Message extends object>(
  task: AnyTask,
  file: string | undefined,
  onMessage: (message: Message) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const name of ['tfjs-core', 'tfjs-backend-webgl']) checkInstalled(`@tensorflow/${name}`);
  const isModel = file !== undefined && extname(file) === '.json';
  if (file !== undefined && !isModel) checkPlace(file);
  const missing: string[] = [];
  const fileOf = (path: string) => {
    const found =
      path === SCRIPT ? fileURLToPath(new URL('./page.js', import.meta.url)) : placeOf(path, file);
    if (path.startsWith('/project/') && !(found && existsSync(found))) missing.push(path.slice(9));
    return found === undefined ? undefined : { file: found };
  };
  const url = file && (isModel ? `/model/${basename(file)}` : `/project/${inProject(file)}`);
  const page = `<!doctype html><meta charset="utf-8">
<script type="importmap">${JSON.stringify({ imports: importMap() })}</script>
<script type="module">
  ${SENDER}
  import '@tensorflow/tfjs-backend-webgl';
  import { onThisPage } from '${SCRIPT}';
  await onThisPage(${JSON.stringify(task)}, ${JSON.stringify(url)}, send);
</script>`;
  try {
    await inBrowser<Message>(page, fileOf, onMessage, { signal });
  } catch (error) {
    throw new Error(explained((error as Error).message, missing));
  }
}

/** The module's path in the user's project, as in a URL. */
const inProject = (file: string) => relative(process.cwd(), resolve(file)).split(sep).join('/');

function checkPlace(file: string): void {
  if (/^\.\.|:/.test(inProject(file)))
    throw new Error(`${file} must be in ${process.cwd()}: the page can read no other folder.`);
  if (file.endsWith('.cjs'))
    throw new Error(`${file} must be an ES module on webgl: a page cannot load CommonJS.`);
}

/** What a module on the page may import by name -> the URL that serves it. */
function importMap(): Record<string, string> {
  const imports: Record<string, string> = Object.fromEntries([
    ...BROUGHT.map((name) => [name, SCRIPT]),
    ...NODE.map((name) => [name, NOTHING]),
  ]);
  for (const name of TFJS) {
    const folder = folderOf(name);
    const dist = folder && join(folder, 'dist');
    const file = dist && existsSync(dist) && readdirSync(dist).find((file) => file.endsWith('.fesm.min.js'));
    if (file) imports[name] = `/packages/${name}/dist/${file}`;
  }
  const { exports } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as {
    exports: Record<string, string | { import: string }>;
  };
  for (const [path, target] of Object.entries(exports)) {
    if (typeof target !== 'string')
      imports[SELF + path.slice(1)] = `/packages/${SELF}${target.import.slice(1)}`;
  }
  return imports;
}

/** The file for a URL: of a package, of the user's project, or beside the model. */
function placeOf(path: string, model: string | undefined): string | undefined {
  const [, kind, ...rest] = path.split('/');
  if (rest.includes('..')) return undefined;
  if (kind === 'model' && model) return join(dirname(model), ...rest);
  if (kind === 'project') return join(process.cwd(), ...rest);
  if (kind !== 'packages') return undefined;
  const name = rest.splice(0, rest[0].startsWith('@') ? 2 : 1).join('/');
  const folder = name === SELF ? ROOT : folderOf(name);
  return folder && join(folder, ...rest);
}

/** The page's error, with what it does not say. */
function explained(error: string, missing: string[]): string {
  const [, name] = /Failed to resolve module specifier "([^"]*)"/.exec(error) ?? [];
  if (name?.startsWith('@tensorflow/') && !folderOf(name.split('/', 2).join('/')))
    return `${error.split(': ')[0]}: it imports ${name}, which is not installed in ${process.cwd()}: npm install ${name}`;
  if (name)
    return `${error.split(': ')[0]}: it imports ${name}. On webgl a module may import tfjs's packages, ${SELF}, and files of the project by their relative paths: bundle it with everything else.`;
  if (/Failed to fetch/.test(error) && missing.length > 0)
    return `${error.split(': ')[0]}: there is no file ${missing.join(', ')}.`;
  return error;
}
