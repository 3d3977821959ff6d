import type { ModelRun } from './command.js';
export const modelPageOf = (run: ModelRun): string => JSON.stringify(run);
