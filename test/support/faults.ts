/** Faults: for a while, methods of an object are others, and the k-th call of one of them fails. */

export type Method = (...args: unknown[]) => unknown;

export interface Fault {
  /** The method that fails. A constructor is one too. */
  method: string;
  /** What it does then. It gets the method itself, and its arguments. */
  fails: (method: Method, ...args: unknown[]) => unknown;
  says: RegExp;
}

const nothing = () => null;

/** On webgl, where there is no room. */
export const NO_ROOM: Record<string, Fault> = {
  'a texture': { method: 'createTexture', fails: nothing, says: /Unable to create WebGLTexture|no room for an array of \d+ textures/ }, // prettier-ignore
  'a framebuffer': { method: 'createFramebuffer', fails: nothing, says: /no room for an array of \d+ textures/ }, // prettier-ignore
  'a framebuffer that is complete': { method: 'checkFramebufferStatus', fails: () => 36061, says: /cannot draw into an array of \d+ textures of .* status is 36061|cannot draw into 2 textures of/ }, // prettier-ignore
};

/** On webgl, programs that cannot be made. */
export const NO_PROGRAM: Record<string, Fault> = {
  'a shader': { method: 'createShader', fails: nothing, says: /Unable to create fragment WebGLShader|no room for a shader/ }, // prettier-ignore
  'a program': { method: 'createProgram', fails: nothing, says: /Unable to create WebGLProgram|no room for a program/ }, // prettier-ignore
  'a shader that compiles': {
    method: 'shaderSource',
    fails: (method, shader, source) => method(shader, `${source}\n no GLSL`),
    says: /compile.*The driver says: .*ERROR: 0:\d+: .*no/is,
  },
  'a program that links': {
    method: 'attachShader',
    fails: () => undefined,
    says: /link.*The driver says: .*shader/is,
  },
};

/** Runs f while the object's methods are others. */
export function withMethods<T>(object: object, methods: Record<string, Method>, f: () => T): T {
  const before = Object.keys(methods).map((name) => Object.getOwnPropertyDescriptor(object, name));
  Object.assign(object, methods);
  try {
    return f();
  } finally {
    Object.keys(methods).forEach((name, i) => {
      if (before[i]) Object.defineProperty(object, name, before[i]);
      else delete (object as Record<string, unknown>)[name];
    });
  }
}

export const methodOf = (object: object, name: string): Method => {
  const method = (object as Record<string, Method>)[name];
  return (...args) => method.apply(object, args);
};

/**
 * Runs f. The k-th call of the method fails, of those that count.
 * @returns how many calls counted
 */
export function withFault(
  object: object,
  { method, fails }: Omit<Fault, 'says'>,
  k: number,
  f: () => void,
  counts = () => true,
): number {
  const original = (object as Record<string, Method>)[method];
  let calls = 0;
  function faulty(this: unknown, ...args: unknown[]): unknown {
    const call: Method = (...given) =>
      new.target ? Reflect.construct(original, given) : original.apply(this, given);
    return counts() && ++calls === k ? fails(call, ...args) : call(...args);
  }
  faulty.prototype = original.prototype as object; // for `instanceof`
  withMethods(object, { [method]: faulty }, f);
  return calls;
}
