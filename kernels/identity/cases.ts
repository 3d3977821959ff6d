/** Named cases of Identity, pure data. */
export interface IdentityCase {
  name: string;
  x: readonly number[];
}

export const identityCases: readonly IdentityCase[] = [
  { name: 'images', x: [2, 3, 4, 5] },
  { name: 'scalar', x: [] },
  { name: 'empty', x: [0, 3] },
];
