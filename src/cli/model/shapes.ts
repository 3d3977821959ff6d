/** Shapes of a model's inputs, as people write them. */
export interface Shapes {
  /** Of the first inputs. */
  inOrder: number[][];
  byName: Record<string, number[]>;
}

export const NO_SHAPES: Shapes = { inOrder: [], byName: {} };

export const SHAPES_ALLOWED = 'shapes, such as 1x224x224x3, or by name: image=1x224x224x3,mask=1x224x224';

/** Shapes in order or by name, such as '1x224x224x3' or 'image=1x224x224x3,mask=1x224x224'. null if the text is something else. */
export function shapesIn(text: string): Shapes | null {
  const shapes: Shapes = { inOrder: [], byName: {} };
  for (const part of text.split(',')) {
    const [, name, sizes] = /^(?:(.*?)\s*=\s*)?([^=]*)$/.exec(part.trim()) ?? [];
    if (sizes === undefined) return null;
    const shape = sizes === '' ? [] : sizes.split('x').map(Number);
    if (!shape.every((size) => Number.isInteger(size) && size >= 0)) return null;
    if (name === undefined) shapes.inOrder.push(shape);
    else shapes.byName[name] = shape;
  }
  return shapes;
}
