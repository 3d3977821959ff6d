/**
 * What tsc and API Extractor make of the library's sources. tsc writes JavaScript and declarations, file by file, to build/library.
 * API Extractor reads those declarations, for each entry: it rolls them up into one file, or reports the public API.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';

/**
 * The entries of the package: the name of each, its source, and its budget: what a bundle of all its exports may weigh, in bytes,
 * minified and gzipped. 'index' is the package itself, every other name is a sub-path.
 */
export const ENTRIES = JSON.parse(readFileSync('scripts/entries.json', 'utf8'));

const FOLDER = 'build/library';

export function compile() {
  rmSync(FOLDER, { recursive: true, force: true });
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
}

/** The path of what tsc has made of a source: 'src/cpu.ts', '.js' -> 'build/library/src/cpu.js'. */
export const compiled = (source, extension) => `${FOLDER}/${source.replace(/\.ts$/, extension)}`;

/**
 * Runs API Extractor on each entry.
 * @param outputsOf entry -> the settings that say what to write
 * @param options how Extractor.invoke runs
 * @returns what it says of each entry
 */
export function extract(outputsOf, options) {
  const configs = ENTRIES.map((entry) =>
    ExtractorConfig.prepare({
      configObjectFullPath: undefined,
      packageJsonFullPath: resolve('package.json'),
      configObject: {
        projectFolder: resolve('.'),
        mainEntryPointFilePath: resolve(compiled(entry.source, '.d.ts')),
        compiler: { tsconfigFilePath: resolve('tsconfig.build.json') },
        docModel: { enabled: false },
        tsdocMetadata: { enabled: false },
        newlineKind: 'lf',
        messages: {
          extractorMessageReporting: { default: { logLevel: 'none' } },
          tsdocMessageReporting: { default: { logLevel: 'none' } },
        },
        apiReport: { enabled: false, reportFileName: 'none' },
        dtsRollup: { enabled: false },
        ...outputsOf(entry),
      },
    }),
  );
  const [first, ...others] = configs;
  const compilerState = CompilerState.create(first, {
    additionalEntryPoints: others.map(({ mainEntryPointFilePath }) => mainEntryPointFilePath),
  });
  return configs.map((config) => Extractor.invoke(config, { ...options, compilerState }));
}
