/** The licences of the packages whose code is in a bundle. Each asks that its text goes along. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The packages that esbuild has taken code from, with the texts of their licences, as one text.
 * @param metafiles esbuild's
 * @throws Error if a package names no licence
 */
export function licencesOf(metafiles) {
  const taken = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap(({ inputs }) =>
      Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0),
    ),
  );
  const folders = taken.map((path) => /^(.*node_modules\/(@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const unique = [...new Set(folders.filter(Boolean))].sort();
  return unique.map(licenceOf).join(`\n${'-'.repeat(80)}\n\n`);
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (!license) throw new Error(`${folder} names no licence.`);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0) texts.push('The package contains no text of it.');
  return `${name} ${version}: ${license}\n\n${texts.join('\n\n')}\n`;
}
