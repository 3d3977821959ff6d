// tfjs-core's own specs of the ops whose kernels the plugin replaces, run against the installed plugin.
import { defineClosingSpecs } from './upstream/setup.js';
import '@tensorflow/tfjs-core/dist/ops/conv_util_test.js';
import '@tensorflow/tfjs-core/dist/ops/conv1d_test.js';
import '@tensorflow/tfjs-core/dist/ops/conv2d_test.js';
import '@tensorflow/tfjs-core/dist/ops/conv2d_transpose_test.js';
import '@tensorflow/tfjs-core/dist/ops/conv2d_separable_test.js';
import '@tensorflow/tfjs-core/dist/ops/depthwise_conv2d_test.js';
import '@tensorflow/tfjs-core/dist/ops/fused/fused_conv2d_test.js';
import '@tensorflow/tfjs-core/dist/ops/fused/fused_depthwise_conv2d_test.js';
import '@tensorflow/tfjs-core/dist/ops/mat_mul_test.js';
import '@tensorflow/tfjs-core/dist/ops/fused/fused_mat_mul_test.js';
import '@tensorflow/tfjs-core/dist/ops/avg_pool_test.js';
import '@tensorflow/tfjs-core/dist/ops/max_pool_test.js';
import '@tensorflow/tfjs-core/dist/ops/max_pool_with_argmax_test.js';
import '@tensorflow/tfjs-core/dist/ops/pool_test.js';
import './upstream/on_cpu.js';
import '@tensorflow/tfjs-core/dist/ops/add_test.js';
import '@tensorflow/tfjs-core/dist/ops/arithmetic_test.js';
import '@tensorflow/tfjs-core/dist/ops/clip_by_value_test.js';
import '@tensorflow/tfjs-core/dist/ops/mean_test.js';
import '@tensorflow/tfjs-core/dist/ops/moments_test.js';
import '@tensorflow/tfjs-core/dist/ops/relu6_test.js';
import '@tensorflow/tfjs-core/dist/ops/relu_test.js';
import '@tensorflow/tfjs-core/dist/ops/step_test.js';
import '@tensorflow/tfjs-core/dist/ops/sub_test.js';
import '@tensorflow/tfjs-core/dist/ops/sum_test.js';

defineClosingSpecs();
