/** Says once, on the console, that this version of tfjs was never tested with the plugin. */
import { version_core } from '@tensorflow/tfjs-core';

/** The versions that all specs ran with lie between these two. package.json asks for the same range. */
export const TESTED = { first: '4.0', last: '4.22' };

let isSaid = false;

/** @param version of tfjs-core */
export function warnIfUntested(version: string = version_core): void {
  if (isSaid || isTested(version)) return;
  isSaid = true;
  console.warn(
    `tfjs-convgrad: this is tfjs ${version}. The plugin was tested with ${TESTED.first} to ${TESTED.last}, not with this version. ` +
      'This command tests its kernels here: npx tfjs-convgrad compare',
  );
}

export function isTested(version: string): boolean {
  const place = orderOf(version);
  return place >= orderOf(TESTED.first) && place <= orderOf(TESTED.last);
}

/** Orders versions by major and minor. NaN, which is nowhere, if there are no such numbers. */
function orderOf(version: string): number {
  const [major, minor] = version.split('.').map(Number);
  return major * 1000 + minor;
}
