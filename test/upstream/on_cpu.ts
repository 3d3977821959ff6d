// This file is evaluated before those of tfjs-core's spec files whose kernels the plugin has on cpu alone.
import { testOn } from './setup.js';

testOn(['cpu']);
