/** min(max(values, low), high). A NaN stays NaN. `f32x4.min` and `max` would take several instructions each, because of NaN and -0. */
// @ts-ignore: decorator
@inline
export function bounded(values: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(values, low), high);
}
