/** Entry point of the explorer. It needs no tfjs: the numeric functions compute everything. */
import { mountExplorer } from './page.js';

mountExplorer(document.body);
