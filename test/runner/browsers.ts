/** Finds browsers for Karma's launchers and for benchmarks, and gives them a display. src/cli/browser.ts finds Chromium. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { CHROMIUM_HINT, findChromium } from '../../src/cli/browser.js';

/** Headers of a page that is cross-origin isolated, where memory can be shared. */
export const ISOLATING = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export const BROWSERS = ['chromium', 'firefox', 'webkit'] as const;
export type Browser = (typeof BROWSERS)[number];

/** Where a browser may be, and the environment variable that tells it to Karma's launcher. */
interface Place {
  variable: string;
  find: () => string | undefined | Promise<string | undefined>;
  hint: string;
}

const PLACES: Record<Browser, Place> = {
  chromium: {
    variable: 'CHROME_BIN',
    find: () => findChromium() ?? packagedChromium(),
    hint: CHROMIUM_HINT,
  },
  firefox: {
    variable: 'FIREFOX_BIN',
    find: () =>
      firstOnPath([
        'firefox',
        'firefox-esr',
        '/Applications/Firefox.app/Contents/MacOS/firefox',
        'C:/Program Files/Mozilla Firefox/firefox.exe',
      ]),
    hint: 'install firefox (firefox-esr on Debian) or set FIREFOX_BIN',
  },
  webkit: {
    variable: 'WEBKIT_BIN',
    find: () => firstOnPath(miniBrowsers()),
    hint: "install webkit2gtk-driver (Linux) or set WEBKIT_BIN to WebKitGTK's MiniBrowser",
  },
};

/** Tells Karma's launcher where the browser is. Returns undefined, or a hint if the browser is not found. */
export async function locate(browser: Browser): Promise<string | undefined> {
  const { variable, find, hint } = PLACES[browser];
  const path = process.env[variable] || (await find());
  if (!path) return hint;
  process.env[variable] = path;
}

function firstOnPath(names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = names.flatMap((name) =>
    isAbsolute(name) ? name : folders.map((folder) => join(folder, name)),
  );
  return paths.find((path) => existsSync(path));
}

/** Gives Firefox and WebKit an X display if there is none. It lasts as long as this process. */
export async function openDisplay(environments: string[]): Promise<void> {
  const needed = environments.includes('firefox') || environments.includes('webkit');
  const server = needed && process.platform === 'linux' && !process.env.DISPLAY && firstOnPath(['Xvfb']);
  if (!server) return;
  const child = spawn(server, ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  process.once('exit', () => child.kill());
  const stopped = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`Xvfb stopped with ${code}`)),
  );
  const [number] = await Promise.race([once(child.stdio[3]!, 'data'), stopped]);
  process.env.DISPLAY = `:${String(number).trim()}`;
}

function miniBrowsers(): string[] {
  const inside = (folder: string) =>
    existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : [];
  return inside('/usr/lib')
    .filter((folder) => folder.endsWith('-linux-gnu'))
    .flatMap(inside)
    .filter((folder) => folder.includes('/webkit2gtk-4.'))
    .map((folder) => `${folder}/MiniBrowser`);
}

/** The npm package contains a Chromium for Linux on x64. It serves machines that have no Chromium and no root access. */
async function packagedChromium(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const { default: chromium } = await import('@sparticuz/chromium');
  return chromium.executablePath();
}
