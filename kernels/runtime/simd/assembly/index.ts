export { accumulate } from './accumulate';
export { addRows } from './add_rows';
export { dot } from './dot';
export { multiply } from './multiply';
export { compact, pack } from './pack';
export { winogradFilter, winogradInput, winogradOutput } from './winograd';
export { gradientTaps, gradientTiles } from './winograd_gradient';
export { lineFilter, lineInput, lineOutput } from './winograd_line';
export { avgPool, avgPoolGrad, maxPool, maxPoolGrad } from './pool';
