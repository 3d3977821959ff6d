/**
 * `npm run api`: writes the public API of each entry of the package to etc/<entry>.api.md. With --check it writes
 * nothing: if a report is out of date, it prints the difference and fails.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const ENTRIES = ['index', 'numeric', 'verify/index', 'verify/jasmine', 'verify/jest'];
const TYPES = 'build/api/types';
const isCheck = process.argv[2] === '--check';

rmSync(TYPES, { recursive: true, force: true });
mkdirSync('build/api/reports', { recursive: true });
execFileSync(
  process.execPath,
  [
    'node_modules/typescript/bin/tsc',
    '-p',
    'tsconfig.build.json',
    '--emitDeclarationOnly',
    '--outDir',
    TYPES,
  ],
  { stdio: 'inherit' },
);

const isStale = ENTRIES.map((entry) => {
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: resolve('package.json'),
    configObject: {
      projectFolder: resolve('.'),
      mainEntryPointFilePath: resolve(TYPES, `src/${entry}.d.ts`),
      compiler: { tsconfigFilePath: resolve('tsconfig.build.json') },
      apiReport: {
        enabled: true,
        includeForgottenExports: true,
        reportFileName: entry.replace('/index', '').replace('/', '-'),
        reportFolder: resolve('etc'),
        reportTempFolder: resolve('build/api/reports'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        extractorMessageReporting: {
          default: { logLevel: 'none' },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  });
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: !isCheck,
    printApiReportDiff: isCheck,
    messageCallback(message) {
      // Only the difference is printed. API Extractor would also print which compiler it uses.
      message.handled = message.messageId !== 'console-api-report-diff';
    },
  });
  return apiReportChanged;
}).some(Boolean);

if (isStale && isCheck) {
  console.error(
    'The public API has changed. If this is intended, run `npm run api`, and add a line to CHANGELOG.md for users.',
  );
  process.exit(1);
}
