/** What is to be said about a comparison beside its numbers, as text. */
import { describeWorst, elementName } from '../verify/exact.js';
import type { Comparison, WorstElement } from './comparison.js';

export function remarksOn({ worst, message }: Comparison): string[] {
  // The message of an op's gradient has its worst element.
  const element = worst && worst.proof !== 'gradient' ? [describeElement(worst)] : [];
  return [...element, ...(message ? [message] : [])];
}

function describeElement({ proof, element, ...numbers }: WorstElement): string {
  const index = element || proof === 'adjoint' ? 0 : -1;
  return `${proof}: ${describeWorst({ error: Infinity, index, ...numbers }, elementName(element))}`;
}

export function noCase(kernels: readonly string[]): string {
  return `Not compared, because no case runs them: ${kernels.join(', ')}.`;
}
