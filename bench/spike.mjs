// kernels/geometry.ts
function sizeOf(shape) {
  return shape.reduce((size, n) => size * n, 1);
}
function convGeometry(inShape, filterShape, options = {}) {
  checkShape("filterShape", filterShape);
  const [filterHeight, filterWidth, filterInChannels, outChannels] = filterShape;
  const { groups = 1, strides = 1 } = options;
  checkPositive("groups", groups);
  const window = windowGeometry(inShape, [filterHeight, filterWidth], outChannels, strides, options);
  if (window.inChannels !== filterInChannels * groups) {
    fail(
      "filter",
      `[${filterShape}]`,
      `its third dimension times groups (${groups}) must be the ${window.inChannels} channels of x [${inShape}]`
    );
  }
  if (outChannels % groups !== 0) {
    fail("groups", groups, `it must divide the ${outChannels} output channels`);
  }
  return Object.freeze(Object.assign(window, { groups, filterShape: Object.freeze([...filterShape]) }));
}
function windowGeometry(inShape, filterSize, outChannels, strides, options) {
  const { pad = "valid", dilations = 1, dataFormat = "NHWC", dimRoundingMode } = options;
  if (dataFormat !== "NHWC" && dataFormat !== "NCHW") {
    fail("dataFormat", dataFormat, "it must be 'NHWC' or 'NCHW'");
  }
  checkShape("x", inShape);
  const [filterHeight, filterWidth] = positivePair("filterSize", filterSize);
  const [strideHeight, strideWidth] = positivePair("strides", strides);
  const [dilationHeight, dilationWidth] = positivePair("dilations", dilations);
  const effectiveFilterHeight = (filterHeight - 1) * dilationHeight + 1;
  const effectiveFilterWidth = (filterWidth - 1) * dilationWidth + 1;
  const channelsLast = dataFormat === "NHWC";
  const batchSize = inShape[0];
  const [inHeight, inWidth] = channelsLast ? inShape.slice(1, 3) : inShape.slice(2, 4);
  const inChannels = channelsLast ? inShape[3] : inShape[1];
  const [rowPad, colPad] = sidePads(pad, dataFormat);
  if (dimRoundingMode && !["floor", "round", "ceil", "exact"].includes(dimRoundingMode)) {
    fail("dimRoundingMode", dimRoundingMode, "it must be 'floor', 'round', 'ceil' or 'exact'");
  }
  const mode = dimRoundingMode ?? (pad === "valid" ? "floor" : "trunc");
  const rows = axis("height", inHeight, effectiveFilterHeight, strideHeight, rowPad, mode);
  const cols = axis("width", inWidth, effectiveFilterWidth, strideWidth, colPad, mode);
  const outShape = channelsLast ? [batchSize, rows.out, cols.out, outChannels] : [batchSize, outChannels, rows.out, cols.out];
  return {
    dataFormat,
    batchSize,
    inHeight,
    inWidth,
    inChannels,
    outHeight: rows.out,
    outWidth: cols.out,
    outChannels,
    filterHeight,
    filterWidth,
    effectiveFilterHeight,
    effectiveFilterWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
    padTop: rows.before,
    padBottom: rows.after,
    padLeft: cols.before,
    padRight: cols.after,
    inShape: Object.freeze([...inShape]),
    outShape: Object.freeze(outShape),
    x: steps(inShape, dataFormat),
    y: steps(outShape, dataFormat)
  };
}
var ROUNDING = {
  trunc: Math.trunc,
  floor: Math.floor,
  round: Math.round,
  ceil: Math.ceil,
  exact: Math.trunc
};
function sidePads(pad, dataFormat) {
  if (pad === "same") return ["same", "same"];
  if (pad === "valid") return sidePads(0, dataFormat);
  const pair = typeof pad === "number" ? [pad, pad] : pad;
  if (Array.isArray(pair) && pair.length === 2 && pair.every(Number.isInteger)) {
    const [rows, cols] = pair;
    return [
      [rows, rows],
      [cols, cols]
    ];
  }
  const isExplicit = Array.isArray(pad) && pad.length === 4 && pad.every((side) => Array.isArray(side) && side.length === 2 && side.every(Number.isInteger));
  const [height, channels] = dataFormat === "NHWC" ? [1, 3] : [2, 1];
  if (!isExplicit || [...pad[0], ...pad[channels]].some((p) => p !== 0)) {
    fail(
      "pad",
      show(pad),
      `it must be 'same', 'valid', an integer, a pair [height, width], or four pairs of integers [before, after], one for each dimension of ${dataFormat}, with [0, 0] for batch and channels`
    );
  }
  return [pad[height], pad[height + 1]];
}
function axis(name, inSize, filterSize, stride, pad, mode) {
  if (pad === "same") {
    const out2 = Math.ceil(inSize / stride);
    const total = Math.max(0, (out2 - 1) * stride + filterSize - inSize);
    const before2 = Math.floor(total / 2);
    return { before: before2, after: total - before2, out: out2 };
  }
  const [before, after] = pad;
  const room = inSize + before + after - filterSize;
  const out = roundSteps(name, room, stride, mode);
  if (out < 0) {
    fail(
      "filter",
      `of effective ${name} ${filterSize}`,
      `it must not be larger than the padded input of ${name} ${inSize + before + after}`
    );
  }
  return { before, after, out };
}
function roundSteps(name, room, stride, mode) {
  if (mode === "exact" && room % stride !== 0) {
    fail(`stride along the ${name}`, stride, `with dimRoundingMode 'exact' it must divide ${room}`);
  }
  return ROUNDING[mode](room / stride + 1) + 0;
}
function steps(shape, dataFormat) {
  const [, a, b, c] = shape;
  return Object.freeze(
    dataFormat === "NHWC" ? { batch: a * b * c, row: b * c, col: c, channel: 1 } : { batch: a * b * c, row: c, col: 1, channel: b * c }
  );
}
function checkShape(name, shape) {
  const isShape = Array.isArray(shape) && shape.length === 4 && shape.every((n) => Number.isInteger(n) && n >= 0);
  if (!isShape) {
    fail(name, `of shape ${show(shape)}`, "it must have four dimensions, integers of at least 0");
  }
}
function checkPositive(name, value) {
  if (!Number.isInteger(value) || value < 1) {
    fail(name, value, "it must be an integer of at least 1");
  }
}
function positivePair(name, value) {
  const [height, width] = typeof value === "number" ? [value, value] : value ?? [];
  const isPair = typeof value === "number" || Array.isArray(value) && value.length === 2;
  if (!isPair || ![height, width].every((n) => Number.isInteger(n) && n >= 1)) {
    fail(name, show(value), "it must be an integer of at least 1, or a pair of them");
  }
  return [height, width];
}
function show(value) {
  if (Array.isArray(value)) return `[${value.map(show)}]`;
  return typeof value === "string" ? `"${value}"` : String(value);
}
function fail(argument, value, allowed) {
  throw new Error(`tfjs-convgrad: ${argument} is ${value}, but ${allowed}.`);
}

// bench/spike.ts
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";

// kernels/simd/binaries.ts
var SIMD = "AGFzbQEAAAABVAdgDH9/f39/f39/f319fwBgCX9/f39/f39/fwBgBX9/f39/AGAHf39/f39/fwBgBH9/f38AYA5/f39/f39/f39/f399fQBgC39/f39/f39/f39/AAIPAQNlbnYGbWVtb3J5AgAAAwgHAAECAwQFBgdlCAphY2N1bXVsYXRlAAYIbXVsdGlwbHkABQdjb21wYWN0AAQEcGFjawADDndpbm9ncmFkRmlsdGVyAAINd2lub2dyYWRJbnB1dAABDndpbm9ncmFkT3V0cHV0AAAGbWVtb3J5AgAKnCgHqgYCCXsJfyAAQQJqIRcgB0ECdCEaIAn9EyEMIAr9EyENA0AgBCAYSwRAIAUgAyAYQQJ0aigCAGohGUEAIRYDQCAWIBpJBEBBACEVA0AgFSAXSQRAIAsgFUEEdGohGyAXQQR0IRwgASAWaiACIBVsaiId/QAEACEOIAIgF2wiByAdav0ABAAhDyAdIAdBA2xq/QAEACEQIA8gHSAHQQF0av0ABAAiEf3kASESIA8gEf3lASEPIABBAkYEQCAbIA4gEv3kAf0LBAAgGyAcaiAPIBD95QH9CwQABSAdIAdBBWxq/QAEACERIBsgDiAS/eQBIBAgHSAHQQJ0av0ABAAiDv3kASIT/eQB/QsEACAbIBxq/QwAAABAAAAAQAAAAEAAAABAIBAgDv3lASIO/eYBIA/95AH9CwQAIBsgHEEBdGr9DAAAgEAAAIBAAACAQAAAgEAgE/3mASAS/eQB/QsEACAbIBxBA2xq/QwAAABBAAAAQQAAAEEAAABBIA795gEgD/3kASAR/eQB/QsEAAsgFUEBaiEVDAELCyAIIBZq/QAEACEPQQAhFQNAIAAgFUsEQCAWIBlqIAYgFWxqIRsgCyAVIBdsQQR0aiIH/QAEACEOIAf9AAQwIRAgB/0ABBAiESAH/QAEICIS/eQBIRMgESAS/eUBIREgAEECRgRAIBsgDiAT/eQB/QsEACAaIBtqIBEgEP3lAf0LBAAFIAf9AARQIRIgGyAOIBP95AEgECAHQUBr/QAEACIU/eQBIg795AH9CwQAIBogG2r9DAAAAEAAAABAAAAAQAAAAEAgECAU/eUBIhD95gEgEf3kAf0LBAAgGyAaQQF0av0MAACAQAAAgEAAAIBAAACAQCAO/eYBIBP95AH9CwQAIBsgGkEDbGr9DAAAAEEAAABBAAAAQQAAAEEgEP3mASAR/eQBIBL95AH9CwQAC0EAIQcDQCAAIAdLBEAgGyAHIBpsaiIcIBz9AAQAIA/95AEgDP3pASAN/egB/QsEACAHQQFqIQcMAQsLIBVBAWohFQwBCwsgFkEQaiEWDAELCyABIBpqIQEgGEEBaiEYDAELCwuZCAIHewh/IABBAmohESAFQQJ0IRIDQCACIBNLBEAgAyABIBNBAnRqKAIAaiEUQQAhEANAIBAgEkkEQEEAIQUDQCAFIBFJBEAgCCAFQQR0aiEWIBFBBHQhFyAQIBRqIAUgEmxqIhX9AAQAIQkgBCAVav0ABAAhCiAVIARBAXRq/QAEACELIBUgBEEDbGr9AAQAIQwgAEECRgRAIBYgCSAL/eUB/QsEACAWIBdqIAogC/3kAf0LBAAgFiAXQQF0aiALIAr95QH9CwQAIBYgF0EDbGogCiAM/eUB/QsEAAUgFSAEQQVsav0ABAAhDf0MAACAwAAAgMAAAIDAAACAwCAL/eYBIBUgBEECdGr9AAQAIg795AEhDyAW/QwAAIBAAACAQAAAgEAAAIBAIAn95gH9DAAAoMAAAKDAAACgwAAAoMAgC/3mASAO/eQB/eQB/QsEACAWIBdqIA/9DAAAgMAAAIDAAACAwAAAgMAgCv3mASAM/eQBIgn95AH9CwQAIBYgF0EBdGogDyAJ/eUB/QsEACAWIBdBA2xqIA4gC/3lASIJ/QwAAABAAAAAQAAAAEAAAABAIAwgCv3lAf3mASIL/eQB/QsEACAWIBdBAnRqIAkgC/3lAf0LBAAgFiAXQQVsav0MAACAQAAAgEAAAIBAAACAQCAK/eYB/QwAAKDAAACgwAAAoMAAAKDAIAz95gEgDf3kAf3kAf0LBAALIAVBAWohBQwBCwtBACEFA0AgBSARSQRAIAggBSARbCIVQQR0aiEWIAYgEGogByAVbGohFSAW/QAEACEJIBb9AAQQIQogFv0ABCAhCyAW/QAEMCEMIABBAkYEQCAVIAkgC/3lAf0LBAAgByAVaiAKIAv95AH9CwQAIBUgB0EBdGogCyAK/eUB/QsEACAVIAdBA2xqIAogDP3lAf0LBAAFIBb9AARQIQ39DAAAgMAAAIDAAACAwAAAgMAgC/3mASAWQUBr/QAEACIO/eQBIQ8gFf0MAACAQAAAgEAAAIBAAACAQCAJ/eYB/QwAAKDAAACgwAAAoMAAAKDAIAv95gEgDv3kAf3kAf0LBAAgByAVaiAP/QwAAIDAAACAwAAAgMAAAIDAIAr95gEgDP3kASIJ/eQB/QsEACAVIAdBAXRqIA8gCf3lAf0LBAAgFSAHQQNsaiAOIAv95QEiCf0MAAAAQAAAAEAAAABAAAAAQCAMIAr95QH95gEiC/3kAf0LBAAgFSAHQQJ0aiAJIAv95QH9CwQAIBUgB0EFbGr9DAAAgEAAAIBAAACAQAAAgEAgCv3mAf0MAACgwAAAoMAAAKDAAACgwCAM/eYBIA395AH95AH9CwQACyAFQQFqIQUMAQsLIBBBEGohEAwBCwsgBiASaiEGIBNBAWohEwwBCwsL1gYCBHsGfyAAQQJqIQsDQCACIApLBEBBACEJA0AgCUEDSQRAIAQgCUEEdGohDSABIApqIAIgCWxqIgz9AAQAIQUgAkEDbCIOIAxq/QAEACEGIAwgDkEBdGr9AAQAIQcgAEECRgRAIA0gBf0LBAAgDf0MAAAAPwAAAD8AAAA/AAAAPyAFIAf95AEiBSAG/eQB/eYB/QsEMCAN/QwAAAA/AAAAPwAAAD8AAAA/IAUgBv3lAf3mAf0LBGAgDSAH/QsEkAEFIA39DAAAgD4AAIA+AACAPgAAgD4gBf3mAf0LBAAgDf0Mq6oqvquqKr6rqiq+q6oqviAFIAf95AEiCCAG/eQB/eYB/QsEMCAN/Qyrqiq+q6oqvquqKr6rqiq+IAggBv3lAf3mAf0LBGAgDf0Mq6oqPauqKj2rqio9q6oqPSAF/eYB/Qyrqio+q6oqPquqKj6rqio+IAf95gH95AEiBf0Mq6qqPauqqj2rqqo9q6qqPSAG/eYBIgb95AH9CwSQASANIAUgBv3lAf0LBMABIA0gB/0LBPABCyAJQQFqIQkMAQsLQQAhCQNAIAkgC0kEQCADIApqIAkgC2wgAmxqIQwgBCAJQTBsaiIN/QAEACEFIA39AAQQIQYgDf0ABCAhByAAQQJGBEAgDCAF/QsEACACIAxq/QwAAAA/AAAAPwAAAD8AAAA/IAUgB/3kASIFIAb95AH95gH9CwQAIAwgAkEBdGr9DAAAAD8AAAA/AAAAPwAAAD8gBSAG/eUB/eYB/QsEACAMIAJBA2xqIAf9CwQABSAM/QwAAIA+AACAPgAAgD4AAIA+IAX95gH9CwQAIAIgDGr9DKuqKr6rqiq+q6oqvquqKr4gBSAH/eQBIgggBv3kAf3mAf0LBAAgDCACQQF0av0Mq6oqvquqKr6rqiq+q6oqviAIIAb95QH95gH9CwQAIAwgAkEDbGr9DKuqKj2rqio9q6oqPauqKj0gBf3mAf0Mq6oqPquqKj6rqio+q6oqPiAH/eYB/eQBIgX9DKuqqj2rqqo9q6qqPauqqj0gBv3mASIG/eQB/QsEACAMIAJBAnRqIAUgBv3lAf0LBAAgDCACQQVsaiAH/QsEAAsgCUEBaiEJDAELCyAKQRBqIQoMAQsLC/EGAgh/BnsDQCAEIAxLBEBBCCAEIAxrIgcgB0EISxsiDUEISQRAIAAhByAFIQhBACELA0AgAyALSwRAIAchCUEAIQoDQCAKQQhJBEAgCCAKIA1JBH0gCSoCAAVDAAAAAAs4AgAgAiAJaiEJIAhBBGohCCAKQQFqIQoMAQsLIAEgB2ohByALQQFqIQsMAQsLBSACQQRGBEAgACEHIAUhCEEAIQkDQCADIAlLBEAgCCAH/QAEAP0LBAAgCCAH/QAEEP0LBBAgASAHaiEHIAhBIGohCCAJQQFqIQkMAQsLBSAAIQggBSEHQQAhCyADQXxxIQkDQCAJIAtLBEAgByAI/QAEACIPIAIgCGr9AAQAIhD9DQABAgMQERITBAUGBxQVFhciESACQQF0Ig0gCGr9AAQAIhIgAkEDbCIOIAhq/QAEACIT/Q0AAQIDEBESEwQFBgcUFRYXIhT9DQABAgMEBQYHEBESExQVFhf9CwQAIAcgESAU/Q0ICQoLDA0ODxgZGhscHR4f/QsEICAHIA8gEP0NCAkKCxgZGhsMDQ4PHB0eHyIPIBIgE/0NCAkKCxgZGhsMDQ4PHB0eHyIQ/Q0AAQIDBAUGBxAREhMUFRYX/QsEQCAHIA8gEP0NCAkKCwwNDg8YGRobHB0eH/0LBGAgByAIIAJBAnRqIgr9AAQAIg8gAiAKav0ABAAiEP0NAAECAxAREhMEBQYHFBUWFyIRIAogDWr9AAQAIhIgCiAOav0ABAAiE/0NAAECAxAREhMEBQYHFBUWFyIU/Q0AAQIDBAUGBxAREhMUFRYX/QsEECAHIBEgFP0NCAkKCwwNDg8YGRobHB0eH/0LBDAgByAPIBD9DQgJCgsYGRobDA0ODxwdHh8iDyASIBP9DQgJCgsYGRobDA0ODxwdHh8iEP0NAAECAwQFBgcQERITFBUWF/0LBFAgByAPIBD9DQgJCgsMDQ4PGBkaGxwdHh/9CwRwIAhBEGohCCAHQYABaiEHIAtBBGohCwwBCwsDQCADIAlLBEAgCCEKQQAhCwNAIAtBCEkiDQRAIAcgDQR9IAoqAgAFQwAAAAALOAIAIAIgCmohCiAHQQRqIQcgC0EBaiELDAELCyAIQQRqIQggCUEBaiEJDAELCwsLIAAgAkEDdGohACAFIAZqIQUgDEEIaiEMDAELCwtSAQN/IAAhBANAIAEgBksEQEEAIQUDQCACIAVLBEAgACAFaiAEIAVqKgIAOAIAIAVBBGohBQwBCwsgACACaiEAIAMgBGohBCAGQQFqIQYMAQsLC+AFAg17En8gAyAEQQJ0aiEnIAz9EyEUIA39EyEVQYCAASAEIAVsQQV0IiVBASAlG24iBEEBIAQbISYDQCAIIBxLBEAgCCAcICZqIgQgBCAISxshKEEAIR8DQCACIB9LBEAgH0ECdCIEIAFqISAgBiAAIARqIgQoAgBqISkgBiAEKAIEaiEqIAYgBCgCCGohKyAGIAQoAgxqISwgHCEEA0AgBCAoSQRAIAkgBEEFdGoiG/0ABAAiECEWIBv9AAQQIhEhFyAQIg4hEiARIg8hEyAHIAQgJWxqIR0gAyEbA0AgGyAnSQRAICkgGygCACIeaiEhIB4gKmohIiAeICtqISMgHiAsaiEeQQAhJANAIAUgJEsEQCAh/QkCACIZIB39AAQAIhj95gEgEP3kASEQIBkgHf0ABBAiGf3mASAR/eQBIREgIv0JAgAiGiAY/eYBIBb95AEhFiAaIBn95gEgF/3kASEXICP9CQIAIhogGP3mASAO/eQBIQ4gGiAZ/eYBIA/95AEhDyAe/QkCACIaIBj95gEgEv3kASESIBogGf3mASAT/eQBIRMgIUEEaiEhICJBBGohIiAjQQRqISMgHkEEaiEeIB1BIGohHSAkQQFqISQMAQsLIBtBBGohGwwBCwsgCiAEQQV0aiIbICAoAgBqIR0gCwRAIBEgFP3pASAV/egBIREgFiAU/ekBIBX96AEhFiAXIBT96QEgFf3oASEXIA8gFP3pASAV/egBIQ8gEiAU/ekBIBX96AEhEiATIBT96QEgFf3oASETIBAgFP3pASAV/egBIRAgDiAU/ekBIBX96AEhDgsgHSAQ/QsEACAdIBH9CwQQIBsgICgCBGoiHSAW/QsEACAdIBf9CwQQIBsgICgCCGoiHSAO/QsEACAdIA/9CwQQIBsgICgCDGoiGyAS/QsEACAbIBP9CwQQIARBAWohBAwBCwsgH0EEaiEfDAELCyAcICZqIRwMAQsLC9IFAg9/C3sgAiADQQJ0aiEUIAMgBGxBBXQhFQNAIAggE0sEQCAJIQNBACEOA0AgASAOSwRAIAYgACAOQQJ0aiILKAIAaiEWIAYgCygCBGohFyAGIAsoAghqIRggBiALKAIMaiEZ/QwAAAAAAAAAAAAAAAAAAAAAIRr9DAAAAAAAAAAAAAAAAAAAAAAhG/0MAAAAAAAAAAAAAAAAAAAAACEc/QwAAAAAAAAAAAAAAAAAAAAAIR39DAAAAAAAAAAAAAAAAAAAAAAhHv0MAAAAAAAAAAAAAAAAAAAAACEf/QwAAAAAAAAAAAAAAAAAAAAAISD9DAAAAAAAAAAAAAAAAAAAAAAhISAHIQsgAiEMA0AgDCAUSQRAIBYgDCgCACINaiEPIA0gF2ohECANIBhqIREgDSAZaiENQQAhEgNAIAQgEksEQCAP/QkCACIjIAv9AAQAIiL95gEgGv3kASEaICMgC/0ABBAiI/3mASAb/eQBIRsgEP0JAgAiJCAi/eYBIBz95AEhHCAkICP95gEgHf3kASEdIBH9CQIAIiQgIv3mASAe/eQBIR4gJCAj/eYBIB/95AEhHyAN/QkCACIkICL95gEgIP3kASEgICQgI/3mASAh/eQBISEgBSAPaiEPIAUgEGohECAFIBFqIREgBSANaiENIAtBIGohCyASQQFqIRIMAQsLIAxBBGohDAwBCwsgAyAD/QAEACAa/eQB/QsEACADIAP9AAQQIBv95AH9CwQQIAMgCmoiAyAD/QAEACAc/eQB/QsEACADIAP9AAQQIB395AH9CwQQIAMgCmoiAyAD/QAEACAe/eQB/QsEACADIAP9AAQQIB/95AH9CwQQIAMgCmoiAyAD/QAEACAg/eQB/QsEACADIAP9AAQQICH95AH9CwQQIAMgCmohAyAOQQRqIQ4MAQsLIAcgFWohByAJQSBqIQkgE0EBaiETDAELCws=";
var RELAXED_SIMD = "AGFzbQEAAAABVAdgDH9/f39/f39/f319fwBgCX9/f39/f39/fwBgBX9/f39/AGAHf39/f39/fwBgBH9/f38AYA5/f39/f39/f39/f399fQBgC39/f39/f39/f39/AAIPAQNlbnYGbWVtb3J5AgAAAwgHAAECAwQFBgdlCAphY2N1bXVsYXRlAAYIbXVsdGlwbHkABQdjb21wYWN0AAQEcGFjawADDndpbm9ncmFkRmlsdGVyAAINd2lub2dyYWRJbnB1dAABDndpbm9ncmFkT3V0cHV0AAAGbWVtb3J5AgAKticHmAYCCXsJfyAAQQJqIRcgB0ECdCEaIAn9EyEMIAr9EyENA0AgBCAYSwRAIAUgAyAYQQJ0aigCAGohGUEAIRYDQCAWIBpJBEBBACEVA0AgFSAXSQRAIAsgFUEEdGohGyAXQQR0IRwgASAWaiACIBVsaiId/QAEACEOIAIgF2wiByAdav0ABAAhDyAdIAdBA2xq/QAEACEQIA8gHSAHQQF0av0ABAAiEf3kASESIA8gEf3lASEPIABBAkYEQCAbIA4gEv3kAf0LBAAgGyAcaiAPIBD95QH9CwQABSAdIAdBBWxq/QAEACERIBsgDiAS/eQBIBAgHSAHQQJ0av0ABAAiDv3kASIT/eQB/QsEACAbIBxq/QwAAABAAAAAQAAAAEAAAABAIBAgDv3lASIOIA/9hQL9CwQAIBsgHEEBdGr9DAAAgEAAAIBAAACAQAAAgEAgEyAS/YUC/QsEACAbIBxBA2xq/QwAAABBAAAAQQAAAEEAAABBIA4gD/2FAiAR/eQB/QsEAAsgFUEBaiEVDAELCyAIIBZq/QAEACEPQQAhFQNAIAAgFUsEQCAWIBlqIAYgFWxqIRsgCyAVIBdsQQR0aiIH/QAEACEOIAf9AAQwIRAgB/0ABBAiESAH/QAEICIS/eQBIRMgESAS/eUBIREgAEECRgRAIBsgDiAT/eQB/QsEACAaIBtqIBEgEP3lAf0LBAAFIAf9AARQIRIgGyAOIBP95AEgECAHQUBr/QAEACIU/eQBIg795AH9CwQAIBogG2r9DAAAAEAAAABAAAAAQAAAAEAgECAU/eUBIhAgEf2FAv0LBAAgGyAaQQF0av0MAACAQAAAgEAAAIBAAACAQCAOIBP9hQL9CwQAIBsgGkEDbGr9DAAAAEEAAABBAAAAQQAAAEEgECAR/YUCIBL95AH9CwQAC0EAIQcDQCAAIAdLBEAgGyAHIBpsaiIcIBz9AAQAIA/95AEgDP3pASAN/egB/QsEACAHQQFqIQcMAQsLIBVBAWohFQwBCwsgFkEQaiEWDAELCyABIBpqIQEgGEEBaiEYDAELCwv1BwIHewh/IABBAmohESAFQQJ0IRIDQCACIBNLBEAgAyABIBNBAnRqKAIAaiEUQQAhEANAIBAgEkkEQEEAIQUDQCAFIBFJBEAgCCAFQQR0aiEWIBFBBHQhFyAQIBRqIAUgEmxqIhX9AAQAIQkgBCAVav0ABAAhCiAVIARBAXRq/QAEACELIBUgBEEDbGr9AAQAIQwgAEECRgRAIBYgCSAL/eUB/QsEACAWIBdqIAogC/3kAf0LBAAgFiAXQQF0aiALIAr95QH9CwQAIBYgF0EDbGogCiAM/eUB/QsEAAUgFSAEQQVsav0ABAAhDf0MAACAwAAAgMAAAIDAAACAwCALIBUgBEECdGr9AAQAIg79hQIhDyAW/QwAAIBAAACAQAAAgEAAAIBAIAn9DAAAoMAAAKDAAACgwAAAoMAgCyAO/YUC/YUC/QsEACAWIBdqIA/9DAAAgMAAAIDAAACAwAAAgMAgCiAM/YUCIgn95AH9CwQAIBYgF0EBdGogDyAJ/eUB/QsEACAWIBdBA2xqIA4gC/3lASIJ/QwAAABAAAAAQAAAAEAAAABAIAwgCv3lAf3mASIL/eQB/QsEACAWIBdBAnRqIAkgC/3lAf0LBAAgFiAXQQVsav0MAACAQAAAgEAAAIBAAACAQCAK/QwAAKDAAACgwAAAoMAAAKDAIAwgDf2FAv2FAv0LBAALIAVBAWohBQwBCwtBACEFA0AgBSARSQRAIAggBSARbCIVQQR0aiEWIAYgEGogByAVbGohFSAW/QAEACEJIBb9AAQQIQogFv0ABCAhCyAW/QAEMCEMIABBAkYEQCAVIAkgC/3lAf0LBAAgByAVaiAKIAv95AH9CwQAIBUgB0EBdGogCyAK/eUB/QsEACAVIAdBA2xqIAogDP3lAf0LBAAFIBb9AARQIQ39DAAAgMAAAIDAAACAwAAAgMAgCyAWQUBr/QAEACIO/YUCIQ8gFf0MAACAQAAAgEAAAIBAAACAQCAJ/QwAAKDAAACgwAAAoMAAAKDAIAsgDv2FAv2FAv0LBAAgByAVaiAP/QwAAIDAAACAwAAAgMAAAIDAIAogDP2FAiIJ/eQB/QsEACAVIAdBAXRqIA8gCf3lAf0LBAAgFSAHQQNsaiAOIAv95QEiCf0MAAAAQAAAAEAAAABAAAAAQCAMIAr95QH95gEiC/3kAf0LBAAgFSAHQQJ0aiAJIAv95QH9CwQAIBUgB0EFbGr9DAAAgEAAAIBAAACAQAAAgEAgCv0MAACgwAAAoMAAAKDAAACgwCAMIA39hQL9hQL9CwQACyAFQQFqIQUMAQsLIBBBEGohEAwBCwsgBiASaiEGIBNBAWohEwwBCwsL1gYCBHsGfyAAQQJqIQsDQCACIApLBEBBACEJA0AgCUEDSQRAIAQgCUEEdGohDSABIApqIAIgCWxqIgz9AAQAIQUgAkEDbCIOIAxq/QAEACEGIAwgDkEBdGr9AAQAIQcgAEECRgRAIA0gBf0LBAAgDf0MAAAAPwAAAD8AAAA/AAAAPyAFIAf95AEiBSAG/eQB/eYB/QsEMCAN/QwAAAA/AAAAPwAAAD8AAAA/IAUgBv3lAf3mAf0LBGAgDSAH/QsEkAEFIA39DAAAgD4AAIA+AACAPgAAgD4gBf3mAf0LBAAgDf0Mq6oqvquqKr6rqiq+q6oqviAFIAf95AEiCCAG/eQB/eYB/QsEMCAN/Qyrqiq+q6oqvquqKr6rqiq+IAggBv3lAf3mAf0LBGAgDf0Mq6oqPauqKj2rqio9q6oqPSAF/eYB/Qyrqio+q6oqPquqKj6rqio+IAf95gH95AEiBf0Mq6qqPauqqj2rqqo9q6qqPSAG/eYBIgb95AH9CwSQASANIAUgBv3lAf0LBMABIA0gB/0LBPABCyAJQQFqIQkMAQsLQQAhCQNAIAkgC0kEQCADIApqIAkgC2wgAmxqIQwgBCAJQTBsaiIN/QAEACEFIA39AAQQIQYgDf0ABCAhByAAQQJGBEAgDCAF/QsEACACIAxq/QwAAAA/AAAAPwAAAD8AAAA/IAUgB/3kASIFIAb95AH95gH9CwQAIAwgAkEBdGr9DAAAAD8AAAA/AAAAPwAAAD8gBSAG/eUB/eYB/QsEACAMIAJBA2xqIAf9CwQABSAM/QwAAIA+AACAPgAAgD4AAIA+IAX95gH9CwQAIAIgDGr9DKuqKr6rqiq+q6oqvquqKr4gBSAH/eQBIgggBv3kAf3mAf0LBAAgDCACQQF0av0Mq6oqvquqKr6rqiq+q6oqviAIIAb95QH95gH9CwQAIAwgAkEDbGr9DKuqKj2rqio9q6oqPauqKj0gBf3mAf0Mq6oqPquqKj6rqio+q6oqPiAH/eYB/eQBIgX9DKuqqj2rqqo9q6qqPauqqj0gBv3mASIG/eQB/QsEACAMIAJBAnRqIAUgBv3lAf0LBAAgDCACQQVsaiAH/QsEAAsgCUEBaiEJDAELCyAKQRBqIQoMAQsLC/EGAgh/BnsDQCAEIAxLBEBBCCAEIAxrIgcgB0EISxsiDUEISQRAIAAhByAFIQhBACELA0AgAyALSwRAIAchCUEAIQoDQCAKQQhJBEAgCCAKIA1JBH0gCSoCAAVDAAAAAAs4AgAgAiAJaiEJIAhBBGohCCAKQQFqIQoMAQsLIAEgB2ohByALQQFqIQsMAQsLBSACQQRGBEAgACEHIAUhCEEAIQkDQCADIAlLBEAgCCAH/QAEAP0LBAAgCCAH/QAEEP0LBBAgASAHaiEHIAhBIGohCCAJQQFqIQkMAQsLBSAAIQggBSEHQQAhCyADQXxxIQkDQCAJIAtLBEAgByAI/QAEACIPIAIgCGr9AAQAIhD9DQABAgMQERITBAUGBxQVFhciESACQQF0Ig0gCGr9AAQAIhIgAkEDbCIOIAhq/QAEACIT/Q0AAQIDEBESEwQFBgcUFRYXIhT9DQABAgMEBQYHEBESExQVFhf9CwQAIAcgESAU/Q0ICQoLDA0ODxgZGhscHR4f/QsEICAHIA8gEP0NCAkKCxgZGhsMDQ4PHB0eHyIPIBIgE/0NCAkKCxgZGhsMDQ4PHB0eHyIQ/Q0AAQIDBAUGBxAREhMUFRYX/QsEQCAHIA8gEP0NCAkKCwwNDg8YGRobHB0eH/0LBGAgByAIIAJBAnRqIgr9AAQAIg8gAiAKav0ABAAiEP0NAAECAxAREhMEBQYHFBUWFyIRIAogDWr9AAQAIhIgCiAOav0ABAAiE/0NAAECAxAREhMEBQYHFBUWFyIU/Q0AAQIDBAUGBxAREhMUFRYX/QsEECAHIBEgFP0NCAkKCwwNDg8YGRobHB0eH/0LBDAgByAPIBD9DQgJCgsYGRobDA0ODxwdHh8iDyASIBP9DQgJCgsYGRobDA0ODxwdHh8iEP0NAAECAwQFBgcQERITFBUWF/0LBFAgByAPIBD9DQgJCgsMDQ4PGBkaGxwdHh/9CwRwIAhBEGohCCAHQYABaiEHIAtBBGohCwwBCwsDQCADIAlLBEAgCCEKQQAhCwNAIAtBCEkiDQRAIAcgDQR9IAoqAgAFQwAAAAALOAIAIAIgCmohCiAHQQRqIQcgC0EBaiELDAELCyAIQQRqIQggCUEBaiEJDAELCwsLIAAgAkEDdGohACAFIAZqIQUgDEEIaiEMDAELCwtSAQN/IAAhBANAIAEgBksEQEEAIQUDQCACIAVLBEAgACAFaiAEIAVqKgIAOAIAIAVBBGohBQwBCwsgACACaiEAIAMgBGohBCAGQQFqIQYMAQsLC8gFAg17En8gAyAEQQJ0aiEnIAz9EyEUIA39EyEVQYCAASAEIAVsQQV0IiVBASAlG24iBEEBIAQbISYDQCAIIBxLBEAgCCAcICZqIgQgBCAISxshKEEAIR8DQCACIB9LBEAgH0ECdCIEIAFqISAgBiAAIARqIgQoAgBqISkgBiAEKAIEaiEqIAYgBCgCCGohKyAGIAQoAgxqISwgHCEEA0AgBCAoSQRAIAkgBEEFdGoiG/0ABAAiECEWIBv9AAQQIhEhFyAQIg4hEiARIg8hEyAHIAQgJWxqIR0gAyEbA0AgGyAnSQRAICkgGygCACIeaiEhIB4gKmohIiAeICtqISMgHiAsaiEeQQAhJANAIAUgJEsEQCAh/QkCACIZIB39AAQAIhggEP2FAiEQIBkgHf0ABBAiGSAR/YUCIREgIv0JAgAiGiAYIBb9hQIhFiAaIBkgF/2FAiEXICP9CQIAIhogGCAO/YUCIQ4gGiAZIA/9hQIhDyAe/QkCACIaIBggEv2FAiESIBogGSAT/YUCIRMgIUEEaiEhICJBBGohIiAjQQRqISMgHkEEaiEeIB1BIGohHSAkQQFqISQMAQsLIBtBBGohGwwBCwsgCiAEQQV0aiIbICAoAgBqIR0gCwRAIBEgFP3pASAV/egBIREgFiAU/ekBIBX96AEhFiAXIBT96QEgFf3oASEXIA8gFP3pASAV/egBIQ8gEiAU/ekBIBX96AEhEiATIBT96QEgFf3oASETIBAgFP3pASAV/egBIRAgDiAU/ekBIBX96AEhDgsgHSAQ/QsEACAdIBH9CwQQIBsgICgCBGoiHSAW/QsEACAdIBf9CwQQIBsgICgCCGoiHSAO/QsEACAdIA/9CwQQIBsgICgCDGoiGyAS/QsEACAbIBP9CwQQIARBAWohBAwBCwsgH0EEaiEfDAELCyAcICZqIRwMAQsLC7oFAg9/C3sgAiADQQJ0aiEUIAMgBGxBBXQhFQNAIAggE0sEQCAJIQNBACEOA0AgASAOSwRAIAYgACAOQQJ0aiILKAIAaiEWIAYgCygCBGohFyAGIAsoAghqIRggBiALKAIMaiEZ/QwAAAAAAAAAAAAAAAAAAAAAIRr9DAAAAAAAAAAAAAAAAAAAAAAhG/0MAAAAAAAAAAAAAAAAAAAAACEc/QwAAAAAAAAAAAAAAAAAAAAAIR39DAAAAAAAAAAAAAAAAAAAAAAhHv0MAAAAAAAAAAAAAAAAAAAAACEf/QwAAAAAAAAAAAAAAAAAAAAAISD9DAAAAAAAAAAAAAAAAAAAAAAhISAHIQsgAiEMA0AgDCAUSQRAIBYgDCgCACINaiEPIA0gF2ohECANIBhqIREgDSAZaiENQQAhEgNAIAQgEksEQCAP/QkCACIjIAv9AAQAIiIgGv2FAiEaICMgC/0ABBAiIyAb/YUCIRsgEP0JAgAiJCAiIBz9hQIhHCAkICMgHf2FAiEdIBH9CQIAIiQgIiAe/YUCIR4gJCAjIB/9hQIhHyAN/QkCACIkICIgIP2FAiEgICQgIyAh/YUCISEgBSAPaiEPIAUgEGohECAFIBFqIREgBSANaiENIAtBIGohCyASQQFqIRIMAQsLIAxBBGohDAwBCwsgAyAD/QAEACAa/eQB/QsEACADIAP9AAQQIBv95AH9CwQQIAMgCmoiAyAD/QAEACAc/eQB/QsEACADIAP9AAQQIB395AH9CwQQIAMgCmoiAyAD/QAEACAe/eQB/QsEACADIAP9AAQQIB/95AH9CwQQIAMgCmoiAyAD/QAEACAg/eQB/QsEACADIAP9AAQQICH95AH9CwQQIAMgCmohAyAOQQRqIQ4MAQsLIAcgFWohByAJQSBqIQkgE0EBaiETDAELCws=";

// kernels/simd/runtime.ts
var NR = 8;
var MR = 4;
var PAGE = 1 << 16;
var KEPT_BYTES = 1 << 26;
var BINARIES = { "relaxed-simd": RELAXED_SIMD, simd: SIMD };
var modules = /* @__PURE__ */ new Map();
var instances = /* @__PURE__ */ new Map();
function whyNot(level) {
  const module = compiled(level);
  return typeof module === "string" ? module : void 0;
}
function withSimd(level, work) {
  const simd = instances.get(level) ?? instantiate(level);
  try {
    return work(simd);
  } finally {
    if (simd.f32.byteLength > KEPT_BYTES) instances.delete(level);
  }
}
function compiled(level) {
  const known = modules.get(level);
  if (known) return known;
  let module;
  try {
    module = new WebAssembly.Module(Uint8Array.from(atob(BINARIES[level]), (c) => c.charCodeAt(0)));
  } catch (error) {
    module = String(error);
  }
  modules.set(level, module);
  return module;
}
function instantiate(level) {
  const module = compiled(level);
  if (typeof module === "string") {
    throw new Error(`tfjs-convgrad: the ${level} kernels cannot run here: ${module}`);
  }
  const memory = new WebAssembly.Memory({ initial: 1 });
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const place = (...sizes) => {
    let end = 0;
    const addresses = sizes.map((size) => {
      const address = end;
      end = Math.ceil((address + size) / 64) * 64;
      return address;
    });
    if (end > memory.buffer.byteLength) grow(memory, end);
    if (simd.f32.buffer !== memory.buffer) Object.assign(simd, views(memory));
    return addresses;
  };
  const simd = { ...kernels, ...views(memory), place };
  instances.set(level, simd);
  return simd;
}
function views({ buffer }) {
  return { f32: new Float32Array(buffer), i32: new Int32Array(buffer) };
}
function grow(memory, bytes) {
  try {
    memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / PAGE));
  } catch {
    throw new Error(
      `tfjs-convgrad: out of memory: ${Math.ceil(bytes / 2 ** 20)} MiB of WebAssembly memory are needed, and the engine gives no more than ${Math.floor(memory.buffer.byteLength / 2 ** 20)} MiB.`
    );
  }
}

// kernels/simd/strips.ts
function forwardAxis(size, filterSize, stride, dilation, pad) {
  const taps = Array.from({ length: filterSize }, (_, index) => ({ index, offset: index * dilation - pad }));
  return {
    size,
    phases: [taps],
    lowest: -pad,
    highest: (filterSize - 1) * dilation - pad,
    phase: () => 0,
    base: (p) => p * stride
  };
}
function backwardAxis(size, filterSize, stride, dilation, pad) {
  const phases = Array.from({ length: stride }, () => []);
  for (let index = filterSize - 1; index >= 0; index--) {
    const phase = index * dilation % stride;
    phases[phase].push({ index, offset: (phase - index * dilation) / stride });
  }
  const offsets = phases.flat().map(({ offset }) => offset);
  const base = (p) => Math.floor((p + pad) / stride);
  return {
    size,
    phases,
    lowest: Math.min(...offsets),
    highest: Math.max(...offsets),
    phase: (p) => p + pad - stride * base(p),
    base
  };
}
function identityAxis(size) {
  return forwardAxis(size, 1, 1, 1, 0);
}
function positionsIn({ images, rows, cols }) {
  return images * rows * cols;
}
function windowOf(strip, { rows, cols }) {
  const [row, rowCount] = span(rows, strip.row, strip.rows);
  const [col, colCount] = span(cols, strip.col, strip.cols);
  return { image: strip.image, images: strip.images, row, rows: rowCount, col, cols: colCount };
}
function span(axis2, first, count) {
  const start = axis2.base(first) + axis2.lowest;
  return [start, axis2.base(first + count - 1) + axis2.highest - start + 1];
}
function planStrips({ rows, cols }, batchSize, [rowUnit, colUnit], fits) {
  const strip = (images2, rowCount2, colCount2) => {
    return { image: 0, images: images2, row: 0, rows: rowCount2, col: 0, cols: colCount2 };
  };
  const colCount = evenPart(cols.size, colUnit, (n) => fits(strip(1, 1, n)));
  const rowCount = evenPart(rows.size, rowUnit, (n) => fits(strip(1, n, colCount)));
  const whole = rowCount >= rows.size && colCount >= cols.size;
  const images = whole ? evenPart(batchSize, 1, (n) => fits(strip(n, rowCount, colCount))) : 1;
  const strips = [];
  for (let image = 0; image < batchSize; image += images) {
    for (let row = 0; row < rows.size; row += rowCount) {
      for (let col = 0; col < cols.size; col += colCount) {
        strips.push({
          image,
          images: Math.min(images, batchSize - image),
          row,
          rows: Math.min(rowCount, rows.size - row),
          col,
          cols: Math.min(colCount, cols.size - col)
        });
      }
    }
  }
  return strips;
}
function largest(strips, axes) {
  const most = { source: 0, target: 0, rows: 0 };
  for (const strip of strips) {
    most.source = Math.max(most.source, positionsIn(windowOf(strip, axes)));
    most.target = Math.max(most.target, positionsIn(strip));
    most.rows = Math.max(most.rows, strip.images * strip.rows);
  }
  return most;
}
function evenPart(size, unit, fits) {
  if (fits(size)) return size;
  const units = Math.ceil(size / unit);
  let [most, tooMany] = [1, units];
  while (tooMany - most > 1) {
    const middle = most + tooMany >> 1;
    if (fits(middle * unit)) most = middle;
    else tooMany = middle;
  }
  return Math.ceil(units / Math.ceil(units / most)) * unit;
}
function copyIn(to, at, image, r) {
  const { values, steps: steps2, height, width, channel, channels } = image;
  const rowLength = r.cols * channels;
  const left = Math.min(r.cols, Math.max(0, -r.col)) * channels;
  const right = Math.max(left, Math.min(r.cols, width - r.col) * channels);
  const dense = steps2.channel === 1 && steps2.col === channels;
  for (let b = r.image; b < r.image + r.images; b++) {
    for (let row = r.row; row < r.row + r.rows; row++, at += rowLength) {
      if (row < 0 || row >= height || right === left) {
        to.fill(0, at, at + rowLength);
        continue;
      }
      if (left > 0) to.fill(0, at, at + left);
      if (right < rowLength) to.fill(0, at + right, at + rowLength);
      const first = Math.max(0, r.col);
      const from = b * steps2.batch + row * steps2.row + first * steps2.col + channel * steps2.channel;
      if (dense) copyRun(values, from, right - left, to, at + left);
      else gatherRow(values, from, steps2, (right - left) / channels, channels, to, at + left);
    }
  }
}
function copyOut(from, at, held, image, r) {
  const { values, steps: steps2, channel, channels } = image;
  const dense = steps2.channel === 1 && steps2.col === channels;
  const together = dense && r.cols === held.cols && steps2.row === r.cols * channels;
  const rowLength = held.cols * channels;
  for (let b = 0; b < r.images; b++) {
    const first = (r.image + b) * steps2.batch + r.col * steps2.col + channel * steps2.channel;
    const start = at + b * held.rows * rowLength;
    if (together) copyRun(from, start, r.rows * rowLength, values, first + r.row * steps2.row);
    for (let row = 0; row < r.rows && !together; row++) {
      const to = first + (r.row + row) * steps2.row;
      if (dense) copyRun(from, start + row * rowLength, r.cols * channels, values, to);
      else scatterRow(from, start + row * rowLength, r.cols, channels, values, to, steps2);
    }
  }
}
var SHORT_RUN = 64;
function copyRun(from, start, length, to, at) {
  if (length >= SHORT_RUN) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i];
}
function gatherRow(from, start, { col, channel }, cols, channels, to, at) {
  for (let i = 0; i < cols; i++, start += col) {
    for (let c = 0; c < channels; c++) to[at++] = from[start + c * channel];
  }
}
function scatterRow(from, at, cols, channels, to, start, { col, channel }) {
  for (let i = 0; i < cols; i++, start += col) {
    for (let c = 0; c < channels; c++) to[start + c * channel] = from[at++];
  }
}

// kernels/conv2d/correlate.ts
var STRIP_SIZE = 1 << 16;
function correlate(simd, source, target, axes, filter, epilogue) {
  const width = roundUp(target.channels, NR);
  const phases = phasesOf(axes);
  const units = [axes.rows.phases.length, axes.cols.phases.length];
  const strips = planStrips(axes, target.images, units, (strip) => {
    const cells = positionsIn(windowOf(strip, axes)) * source.channels;
    return Math.max(cells, positionsIn(strip) * width) <= STRIP_SIZE;
  });
  const most = largest(strips, axes);
  const tapCount = phases.reduce((sum, { taps }) => sum + taps.length, 0);
  const tableSize = most.target + MR * phases.length;
  const [staging, panels, bias, segments, pixels, outs, a, c] = simd.place(
    4 * filter.tapSize,
    4 * tapCount * source.channels * width,
    4 * width,
    4 * tapCount,
    4 * tableSize,
    4 * tableSize,
    4 * most.source * source.channels,
    4 * (most.target + 1) * width
  );
  writeBias(simd, bias, width, epilogue);
  for (const { taps, firstTap } of phases) {
    const to = panels + 4 * firstTap * source.channels * width;
    const tapStep = 4 * NR * source.channels;
    packTaps(simd, filter, taps, source.channels, target.channels, staging, to, tapStep, tapStep * taps.length);
  }
  let counts = [];
  let tiled;
  for (const strip of strips) {
    const window = windowOf(strip, axes);
    copyIn(simd.f32, a / 4, source, window);
    if (!tiled || !alike(tiled, strip, axes)) {
      writeSegments(simd.i32, segments / 4, phases, axes, window, 4 * source.channels);
      const steps2 = { source: 4 * source.channels, target: 4 * width };
      counts = writeTiles(simd.i32, pixels / 4, outs / 4, phases, axes, strip, window, steps2);
      tiled = strip;
    }
    let tile = 0;
    phases.forEach(({ taps, firstTap, run }, i) => {
      simd.multiply(
        pixels + tile,
        outs + tile,
        counts[i],
        segments + 4 * firstTap,
        taps.length / run,
        run * source.channels,
        a,
        panels + 4 * firstTap * source.channels * width,
        width / NR,
        bias,
        c,
        isClamped(epilogue),
        epilogue.lowest,
        epilogue.highest
      );
      tile += 4 * counts[i];
    });
    if (width !== target.channels) simd.compact(c, positionsIn(strip), 4 * target.channels, 4 * width);
    copyOut(simd.f32, c / 4, strip, target, strip);
  }
}
function phasesOf({ rows, cols }) {
  const phases = [];
  let firstTap = 0;
  rows.phases.forEach(
    (rowTaps, row) => cols.phases.forEach((colTaps, col) => {
      const taps = pairs(rowTaps, colTaps);
      const adjacent = colTaps.every(({ offset }, i) => offset === colTaps[0].offset + i);
      phases.push({ row, col, taps, run: adjacent ? Math.max(1, colTaps.length) : 1, firstTap });
      firstTap += taps.length;
    })
  );
  return phases;
}
function pairs(rowTaps, colTaps) {
  return rowTaps.flatMap((row) => colTaps.map((col) => ({ row, col })));
}
function packTaps(simd, { values, filterWidth, tapSize, start, rowStep, colStep }, taps, depth, targetChannels, staging, to, tapStep, panelStep) {
  taps.forEach(({ row, col }, i) => {
    const tap = row.index * filterWidth + col.index;
    simd.f32.set(values.subarray(tap * tapSize, (tap + 1) * tapSize), staging / 4);
    const matrix = staging + 4 * start;
    simd.pack(matrix, 4 * rowStep, 4 * colStep, depth, targetChannels, to + i * tapStep, panelStep);
  });
}
function writeBias({ f32 }, at, width, { bias }) {
  f32.fill(0, at / 4, at / 4 + width);
  if (bias) f32.set(bias, at / 4);
}
function isClamped({ lowest, highest }) {
  return lowest !== -Infinity || highest !== Infinity;
}
function writeSegments(i32, at, phases, axes, window, step) {
  for (const { taps, run, firstTap } of phases) {
    for (let i = 0; i < taps.length; i += run) {
      i32[at + firstTap + i / run] = step * tapOffset(taps[i], axes, window);
    }
  }
}
function tapOffset({ row, col }, { rows, cols }, window) {
  return (row.offset - rows.lowest) * window.cols + col.offset - cols.lowest;
}
function writeTiles(i32, pixels, outs, phases, { rows, cols }, strip, window, step) {
  const firstRow = rows.base(strip.row);
  const firstCol = cols.base(strip.col);
  return phases.map((phase) => {
    const stripRows = ofPhase(rows, phase.row, strip.row, strip.rows);
    const stripCols = ofPhase(cols, phase.col, strip.col, strip.cols);
    const colBases = stripCols.map((col) => cols.base(col) - firstCol);
    const first = pixels;
    for (let b = 0; b < strip.images; b++) {
      for (const row of stripRows) {
        const from = (b * window.rows + rows.base(row) - firstRow) * window.cols;
        const to = (b * strip.rows + row - strip.row) * strip.cols - strip.col;
        for (let i = 0; i < stripCols.length; i++) {
          i32[pixels++] = step.source * (from + colBases[i]);
          i32[outs++] = step.target * (to + stripCols[i]);
        }
      }
    }
    const count = roundUp(pixels - first, MR);
    for (; pixels < first + count; pixels++, outs++) {
      i32[pixels] = i32[pixels - 1];
      i32[outs] = step.target * positionsIn(strip);
    }
    return count;
  });
}
function ofPhase(axis2, phase, first, count) {
  const positions = [];
  for (let p = first; p < first + count; p++) {
    if (axis2.phase(p) === phase) positions.push(p);
  }
  return positions;
}
function alike(a, b, { rows, cols }) {
  return a.images === b.images && a.rows === b.rows && a.cols === b.cols && rows.phase(a.row) === rows.phase(b.row) && cols.phase(a.col) === cols.phase(b.col);
}
function roundUp(n, multiple) {
  return Math.ceil(n / multiple) * multiple;
}

// kernels/conv2d/winograd.ts
var STRIP_SIZE2 = 1 << 17;
var LEAST_CHANNELS = 16;
function winogradApplies(source, target, { rows, cols }) {
  const channels = Math.min(source.channels, target.channels);
  return channels >= LEAST_CHANNELS && source.channels % 4 === 0 && isPlain3(rows) && isPlain3(cols);
}
function isPlain3({ phases, lowest, highest, base }) {
  return phases.length === 1 && phases[0].length === 3 && highest - lowest === 2 && base(1) - base(0) === 1;
}
function correlateByWinograd(simd, source, target, axes, filter, epilogue, m) {
  const n = m + 2;
  const depth = source.channels;
  const width = roundUp(target.channels, NR);
  const tilesIn = (r) => r.images * Math.ceil(r.rows / m) * Math.ceil(r.cols / m);
  const strips = planStrips(axes, target.images, [m, m], (strip) => {
    return n * n * tilesIn(strip) * (depth + width) <= STRIP_SIZE2;
  });
  const whole = strips.map((strip) => inWholeTiles(strip, m));
  const most = largest(whole, axes);
  const tileCount = roundUp(Math.max(...strips.map(tilesIn)), MR);
  const plane = { u: 4 * depth * width, v: 4 * tileCount * depth + 64, m: 4 * tileCount * width + 64 };
  const [staging, taps, u, v, products, scratch, bias, none, zero, rows, outs, patches, tiles, a, c] = simd.place(
    4 * filter.tapSize,
    9 * plane.u,
    n * n * plane.u,
    n * n * plane.v,
    n * n * plane.m,
    16 * n * n,
    4 * width,
    4 * width,
    4,
    4 * tileCount,
    4 * tileCount,
    4 * tileCount,
    4 * tileCount,
    4 * most.source * depth,
    4 * most.target * width
  );
  writeBias(simd, bias, width, epilogue);
  simd.f32.fill(0, none / 4, none / 4 + width);
  simd.i32[zero / 4] = 0;
  for (let t = 0; t < tileCount; t++) {
    simd.i32[rows / 4 + t] = 4 * t * depth;
    simd.i32[outs / 4 + t] = 4 * t * width;
  }
  const nine = pairs(axes.rows.phases[0], axes.cols.phases[0]);
  packTaps(simd, filter, nine, depth, target.channels, staging, taps, plane.u, 4 * NR * depth);
  simd.winogradFilter(m, taps, plane.u, u, scratch);
  strips.forEach((strip, i) => {
    const held = whole[i];
    const window = windowOf(held, axes);
    const count = tilesIn(strip);
    copyIn(simd.f32, a / 4, source, window);
    writeCorners(simd.i32, patches / 4, held, m, window, 4 * depth);
    writeCorners(simd.i32, tiles / 4, held, m, held, 4 * width);
    simd.winogradInput(m, patches, count, a, 4 * window.cols * depth, depth, v, plane.v, scratch);
    for (let cell = 0; cell < n * n; cell++) {
      const [from, to] = [v + cell * plane.v, products + cell * plane.m];
      const panels = u + cell * plane.u;
      simd.multiply(rows, outs, roundUp(count, MR), zero, 1, depth, from, panels, width / NR, none, to, false, 0, 0);
    }
    const { lowest, highest } = epilogue;
    const rowStep = 4 * held.cols * width;
    simd.winogradOutput(m, products, plane.m, tiles, count, c, rowStep, width, bias, lowest, highest, scratch);
    if (width !== target.channels) simd.compact(c, positionsIn(held), 4 * target.channels, 4 * width);
    copyOut(simd.f32, c / 4, held, target, strip);
  });
}
function inWholeTiles(strip, m) {
  return { ...strip, rows: roundUp(strip.rows, m), cols: roundUp(strip.cols, m) };
}
function writeCorners(i32, at, strip, m, { rows, cols }, step) {
  for (let b = 0; b < strip.images; b++) {
    for (let row = 0; row < strip.rows; row += m) {
      for (let col = 0; col < strip.cols; col += m) i32[at++] = step * ((b * rows + row) * cols + col);
    }
  }
}

// kernels/conv2d/simd.ts
var PLAIN = { lowest: -Infinity, highest: Infinity };
function conv2d(simd, x, filter, g, y, winograd = 0, epilogue = PLAIN) {
  const axes = forwardAxes(g);
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(x, g, group), outputImage(y, g, group)];
    const groupsFilter = filterOf(filter, g, group, false);
    const bias = epilogue.bias?.subarray(target.channel, target.channel + target.channels);
    product(simd, source, target, axes, groupsFilter, { ...epilogue, bias }, winograd);
  }
}
function conv2dBackpropInput(simd, dy, filter, g, dx, winograd = 0) {
  const axes = {
    rows: backwardAxis(g.inHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: backwardAxis(g.inWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft)
  };
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [outputImage(dy, g, group), inputImage(dx, g, group)];
    product(simd, source, target, axes, filterOf(filter, g, group, true), PLAIN, winograd);
  }
}
function conv2dBackpropFilter(simd, x, dy, g, dFilter) {
  const [inPerGroup, outPerGroup] = [g.inChannels / g.groups, g.outChannels / g.groups];
  const axes = forwardAxes(g);
  const dyAxes = { rows: identityAxis(g.outHeight), cols: identityAxis(g.outWidth) };
  const taps = g.filterHeight * g.filterWidth * inPerGroup;
  const tapCount = roundUp(taps, MR);
  const width = roundUp(outPerGroup, NR);
  const strips = planStrips(axes, g.batchSize, [1, 1], (strip) => {
    const source = positionsIn(windowOf(strip, axes)) * inPerGroup;
    return Math.max(source, positionsIn(strip) * width) <= STRIP_SIZE;
  });
  const most = largest(strips, axes);
  const [tapsAt, rowsAt, a, dense, panels, sums] = simd.place(
    4 * tapCount,
    4 * most.rows,
    4 * most.source * inPerGroup,
    4 * most.target * outPerGroup,
    4 * most.target * width,
    4 * tapCount * width
  );
  for (let group = 0; group < g.groups; group++) {
    const [source, target] = [inputImage(x, g, group), outputImage(dy, g, group)];
    simd.f32.fill(0, sums / 4, sums / 4 + tapCount * width);
    for (const strip of strips) {
      const window = windowOf(strip, axes);
      copyIn(simd.f32, a / 4, source, window);
      copyIn(simd.f32, dense / 4, target, windowOf(strip, dyAxes));
      const pixels = positionsIn(strip);
      simd.pack(dense, 4 * outPerGroup, 4, pixels, outPerGroup, panels, 4 * NR * pixels);
      writeFilterOffsets(simd.i32, tapsAt / 4, tapCount, axes, inPerGroup, window);
      writeRowOffsets(simd.i32, rowsAt / 4, strip, axes.rows, inPerGroup, window);
      simd.accumulate(
        tapsAt,
        tapCount,
        rowsAt,
        strip.images * strip.rows,
        strip.cols,
        4 * g.strideWidth * inPerGroup,
        a,
        panels,
        width / NR,
        sums,
        4 * width
      );
    }
    if (width !== outPerGroup) simd.compact(sums, taps, 4 * outPerGroup, 4 * width);
    const result = {
      values: dFilter,
      steps: { batch: 0, row: 0, col: g.outChannels, channel: 1 },
      images: 1,
      height: 1,
      width: taps,
      channel: group * outPerGroup,
      channels: outPerGroup
    };
    const all = { image: 0, images: 1, row: 0, rows: 1, col: 0, cols: taps };
    copyOut(simd.f32, sums / 4, all, result, all);
  }
}
function product(simd, source, target, axes, filter, epilogue, winograd) {
  if (winograd !== 0 && winogradApplies(source, target, axes)) {
    correlateByWinograd(simd, source, target, axes, filter, epilogue, winograd);
  } else {
    correlate(simd, source, target, axes, filter, epilogue);
  }
}
function writeFilterOffsets(i32, at, tapCount, axes, channels, window) {
  const end = at + tapCount;
  for (const row of axes.rows.phases[0]) {
    for (const col of axes.cols.phases[0]) {
      const cell = tapOffset({ row, col }, axes, window) * channels;
      for (let c = 0; c < channels; c++) i32[at++] = 4 * (cell + c);
    }
  }
  i32.fill(0, at, end);
}
function writeRowOffsets(i32, at, strip, rows, channels, window) {
  for (let b = 0; b < strip.images; b++) {
    for (let row = 0; row < strip.rows; row++) {
      const cells = (b * window.rows + rows.base(row)) * window.cols;
      i32[at++] = 4 * channels * cells;
    }
  }
}
function forwardAxes(g) {
  return {
    rows: forwardAxis(g.outHeight, g.filterHeight, g.strideHeight, g.dilationHeight, g.padTop),
    cols: forwardAxis(g.outWidth, g.filterWidth, g.strideWidth, g.dilationWidth, g.padLeft)
  };
}
function inputImage(values, g, group) {
  const channels = g.inChannels / g.groups;
  const { batchSize: images, inHeight: height, inWidth: width, x: steps2 } = g;
  return { values, steps: steps2, images, height, width, channel: group * channels, channels };
}
function outputImage(values, g, group) {
  const channels = g.outChannels / g.groups;
  const { batchSize: images, outHeight: height, outWidth: width, y: steps2 } = g;
  return { values, steps: steps2, images, height, width, channel: group * channels, channels };
}
function filterOf(values, g, group, transposed) {
  return {
    values,
    filterWidth: g.filterWidth,
    tapSize: g.inChannels / g.groups * g.outChannels,
    start: group * g.outChannels / g.groups,
    rowStep: transposed ? 1 : g.outChannels,
    colStep: transposed ? g.outChannels : 1
  };
}

// src/verify/data.ts
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = state + 1831565813 >>> 0;
    let t = Math.imul(state ^ state >>> 15, state | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}
function integers(size, seed, max = 4) {
  const next = random(seed);
  return Float64Array.from({ length: size }, () => Math.floor(next() * (2 * max + 1)) - max);
}

// bench/spike.ts
var W = Number(process.env.W ?? 0);
var L = process.env.LEVEL ?? (whyNot("relaxed-simd") ? "simd" : "relaxed-simd");
var S = [
  [[8, 28, 28, 1], [3, 3, 32]],
  [[8, 28, 28, 32], [3, 3, 64]],
  [[1, 56, 56, 64], [3, 3, 64]],
  [[1, 14, 14, 256], [3, 3, 256]],
  [[1, 112, 112, 32], [1, 1, 64]],
  [[1, 224, 224, 3], [7, 7, 64], 2],
  [[1, 17, 17, 768], [1, 1, 192]],
  [[1, 17, 17, 192], [1, 7, 192]],
  [[1, 112, 112, 24], [1, 1, 144]],
  [[1, 7, 7, 512], [3, 3, 512]],
  [[1, 224, 224, 3], [3, 3, 32], 2],
  [[1, 56, 56, 128], [3, 3, 128], 2],
  [[1, 28, 28, 8], [3, 3, 16]]
];
await tf.setBackend("wasm");
var only = process.argv[2];
var what = process.argv[3] ?? "fwd,dx,dw";
for (const [xs, [fh, fw, oc], st] of S) {
  if (only && !xs.join("x").includes(only)) continue;
  const g = convGeometry(xs, [fh, fw, xs[3], oc], { strides: st ?? 1, pad: "same" });
  const f = (s, k) => Float32Array.from(integers(sizeOf(s), k, 4));
  const x = f(g.inShape, 1), w = f(g.filterShape, 2), dy = f(g.outShape, 3);
  const tx = tf.tensor(x, [...xs]), tw = tf.tensor(w, [...g.filterShape]), td = tf.tensor(dy, [...g.outShape]);
  const attrs = { strides: st ?? 1, pad: "same", dataFormat: "NHWC", dilations: 1 };
  const gf = 2 * sizeOf(g.outShape) * fh * fw * xs[3] / 1e6;
  const ours = { fwd: () => withSimd(L, (s) => conv2d(s, x, w, g, new Float32Array(sizeOf(g.outShape)), W)), dx: () => withSimd(L, (s) => conv2dBackpropInput(s, dy, w, g, new Float32Array(x.length), W)), dw: () => withSimd(L, (s) => conv2dBackpropFilter(s, x, dy, g, new Float32Array(w.length))) };
  const theirs = { fwd: () => tf.engine().runKernel("Conv2D", { x: tx, filter: tw }, attrs).dispose(), dx: () => tf.engine().runKernel("Conv2DBackpropInput", { dy: td, filter: tw }, { ...attrs, inputShape: xs }).dispose() };
  const line = [`${xs.join("x")} ${fh}x${fw}x${oc}${st ? " s" + st : ""}`.padEnd(26)];
  for (const k of what.split(",")) {
    const a = ours[k], b = theirs[k];
    const ta = [], tb = [];
    const ms = (fn, T) => {
      let t = performance.now(), j = 0;
      do {
        fn();
        j++;
      } while (performance.now() - t < T);
      return (performance.now() - t) / j;
    };
    ms(a, 150);
    if (b && k === "fwd") ms(b, 60);
    for (let i = 0; i < 15; i++) {
      ta.push(ms(a, 12));
      if (b && (k === "fwd" || i < 2)) tb.push(ms(b, 12));
    }
    const med = (v) => v.sort((p, q) => p - q)[v.length >> 1];
    const A = med(ta);
    line.push(`${k} ${A.toFixed(2)}ms ${(gf / A).toFixed(1)}`);
    if (b) {
      const B = med(tb);
      line.push(`wasm ${(gf / B).toFixed(1)} ratio ${(B / A).toFixed(2)}`);
    }
  }
  console.log(line.join(" | "));
}
console.log(L, process.version);
