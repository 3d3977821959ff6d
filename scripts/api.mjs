/**
 * `npm run api`: writes the public API of each entry of the package to etc/<entry>.api.md. With --check it writes
 * nothing: if a report is out of date, it prints the difference and fails.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { compile, extract } from './library.mjs';

const isCheck = process.argv[2] === '--check';

mkdirSync('build/api', { recursive: true });
compile();
const results = extract(
  ({ name }) => ({
    apiReport: {
      enabled: true,
      includeForgottenExports: true,
      reportFileName: name.replace('/', '-'),
      reportFolder: resolve('etc'),
      reportTempFolder: resolve('build/api'),
    },
  }),
  {
    localBuild: !isCheck,
    printApiReportDiff: isCheck,
    messageCallback(message) {
      // Only the difference is printed. API Extractor would also print which compiler it uses.
      message.handled = message.messageId !== 'console-api-report-diff';
    },
  },
);
const isStale = results.some(({ apiReportChanged }) => apiReportChanged);

if (isStale && isCheck) {
  console.error(
    'The public API has changed. If this is intended, run `npm run api`, and add a line to CHANGELOG.md for users.',
  );
  process.exit(1);
}
