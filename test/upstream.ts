// tfjs-core's own specs of 2-D convolution, pooling and matrix products, run against the installed plugin.
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

defineClosingSpecs();
