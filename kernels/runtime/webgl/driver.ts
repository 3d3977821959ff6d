/**
 * What the driver says about shaders and programs while a kernel runs on webgl. tfjs asks the driver only where a program fails, and
 * only prints the answer.
 */

/** What `observe` tells about each call of a method. */
type See<Result> = (result: Result, ...args: unknown[]) => void;

type Log = string | null;

/** The driver's words, until `end`. */
export interface Heard {
  /** A log for each time that the driver was asked, with the lines of the shader that it names. */
  words: Log[];
  end(): void;
}

/** @param gl the context; without one there is nothing to hear */
export function hear(gl: WebGLRenderingContext | undefined): Heard {
  const words: Log[] = [];
  if (!gl) return { words, end: () => {} };
  const ends = [
    observe<Log>(gl, 'getShaderInfoLog', (log, shader) =>
      words.push(log && withLines(log, gl.getShaderSource(shader as WebGLShader))),
    ),
    observe<Log>(gl, 'getProgramInfoLog', (log) => words.push(log)),
  ];
  return { words, end: () => ends.reverse().forEach((end) => end()) };
}

/** The error of a kernel whose program the driver does not take. */
export function programError(name: string, words: readonly Log[]): Error {
  return new Error(
    `tfjs-convgrad: ${name} failed on webgl: A program does not compile or link on this GPU. The driver says: ${said(words)}`,
  );
}

/** The words as one text; '' if the driver says nothing. */
export function said(words: readonly Log[]): string {
  return words.map(trimmed).filter(Boolean).join('\n');
}

/** Logs end with line breaks, and with a 0 in some drivers. */
const trimmed = (log: Log) => log?.replace(/[\s\0]+$/, '');

/** The log, and below each complaint the line of the shader that it names, as in 'ERROR: 0:93: ...'. */
function withLines(log: string, source: string | null): string {
  const lines = source?.split('\n') ?? [];
  return trimmed(log)!
    .split('\n')
    .map((complaint) => {
      const [, number] = /^\w+: \d+:(\d+)/.exec(complaint) ?? [];
      const line = number && lines[Number(number) - 1]?.trim();
      return line ? `${complaint}, in the line: ${line}` : complaint;
    })
    .join('\n');
}

/** Tells `see` what each call of the method returns, and its arguments, until the returned function is called. */
export function observe<Result>(object: object, name: string, see: See<Result>): () => void {
  const methods = object as Record<string, (...args: unknown[]) => Result>;
  const method = methods[name];
  methods[name] = (...args) => {
    const result = method.apply(object, args);
    see(result, ...args);
    return result;
  };
  // Deleting it instead would make the object slow to read. Small kernels take a tenth less time so.
  return () => void (methods[name] = method);
}
