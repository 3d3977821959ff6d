/** Specs of the static build of the demo page. It is one folder that needs no server and no network. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

describe('the demo build', () => {
  beforeAll(() => void execFileSync(process.execPath, ['demo/build.mjs']));

  it('is one folder that refers to nothing outside', () => {
    const page = readFileSync('build/demo/index.html', 'utf8');
    const links = Array.from(page.matchAll(/(?:src|href)="([^"]*)"/g), ([, link]) => link);
    const files = readdirSync('build/demo');
    expect(links.filter((link) => !link.startsWith('data:')).sort()).toEqual(['main.js', 'style.css']);
    expect(files.sort()).toEqual(['index.html', 'main.js', 'style.css']);
    expect(readFileSync('build/demo/style.css', 'utf8')).not.toMatch(/url\(|@import/);
  });

  it('has no module scripts, which a page opened from a file may not load', () => {
    expect(readFileSync('build/demo/index.html', 'utf8')).not.toContain('type="module"');
    expect(readFileSync('build/demo/main.js', 'utf8')).not.toMatch(/^(import|export)\b/m);
  });
});
