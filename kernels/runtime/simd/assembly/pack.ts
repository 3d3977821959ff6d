/**
 * Copies between row-major matrices and panels of NR = 8 columns.
 *
 *   pack     panel n, [rows, 8], at to + n * panelStep: cell (r, j) = src[r * rowStep + (8 n + j) * colStep], 0 past the last column
 *   compact  moves rows of `length` bytes that lie `step` bytes apart together, in place
 *
 * One of rowStep and colStep is 4: the matrix is taken as it lies, or transposed. Addresses and steps are in bytes.
 */
export function pack(
  src: usize,
  rowStep: usize,
  colStep: usize,
  rows: u32,
  cols: u32,
  to: usize,
  panelStep: usize,
): void {
  let col: u32 = 0;
  if (colStep == 4) {
    // Two panels share a line of the cache.
    for (; col + 16 <= cols; col += 16) {
      packTwo(src, rowStep, rows, to, to + panelStep);
      src += 64;
      to += panelStep << 1;
    }
  }
  for (; col < cols; col += 8) {
    const width = min<u32>(8, cols - col);
    if (width < 8) packCells(src, rowStep, colStep, 0, rows, width, to);
    else if (colStep == 4) packRows(src, rowStep, rows, to);
    else packTransposed(src, colStep, rows, to);
    src += colStep << 3;
    to += panelStep;
  }
}

function packTwo(src: usize, rowStep: usize, rows: u32, first: usize, second: usize): void {
  for (let r: u32 = 0; r < rows; r++) {
    v128.store(first, v128.load(src));
    v128.store(first, v128.load(src, 16), 16);
    v128.store(second, v128.load(src, 32));
    v128.store(second, v128.load(src, 48), 16);
    src += rowStep;
    first += 32;
    second += 32;
  }
}

function packRows(src: usize, rowStep: usize, rows: u32, to: usize): void {
  for (let r: u32 = 0; r < rows; r++) {
    v128.store(to, v128.load(src));
    v128.store(to, v128.load(src, 16), 16);
    src += rowStep;
    to += 32;
  }
}

/** Eight columns, if the cells of a column are consecutive. Four rows at a time. */
function packTransposed(src: usize, colStep: usize, rows: u32, to: usize): void {
  const whole = rows & ~3;
  for (let r: u32 = 0; r < whole; r += 4) {
    transpose4(src, colStep, to);
    transpose4(src + (colStep << 2), colStep, to + 16);
    src += 16;
    to += 128;
  }
  packCells(src, 4, colStep, whole, rows, 8, to);
}

/** Transposes the 4 x 4 cells at src into four rows that lie 32 bytes apart. */
// @ts-ignore: decorator
@inline
function transpose4(src: usize, step: usize, to: usize): void {
  const c0 = v128.load(src);
  const c1 = v128.load(src + step);
  const c2 = v128.load(src + 2 * step);
  const c3 = v128.load(src + 3 * step);
  const low01 = v128.shuffle<f32>(c0, c1, 0, 4, 1, 5);
  const low23 = v128.shuffle<f32>(c2, c3, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(c0, c1, 2, 6, 3, 7);
  const high23 = v128.shuffle<f32>(c2, c3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
  v128.store(to, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), 32);
  v128.store(to, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), 64);
  v128.store(to, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), 96);
}

function packCells(
  src: usize,
  rowStep: usize,
  colStep: usize,
  firstRow: u32,
  rows: u32,
  width: u32,
  to: usize,
): void {
  for (let r = firstRow; r < rows; r++) {
    let from = src;
    for (let j: u32 = 0; j < 8; j++) {
      store<f32>(to, j < width ? load<f32>(from) : 0);
      from += colStep;
      to += 4;
    }
    src += rowStep;
  }
}

export function compact(at: usize, rows: u32, length: usize, step: usize): void {
  let from = at;
  for (let r: u32 = 0; r < rows; r++) {
    for (let i: usize = 0; i < length; i += 4) {
      store<f32>(at + i, load<f32>(from + i));
    }
    at += length;
    from += step;
  }
}
