/** Counts a function's drawing passes, and the bytes of the textures that they read and write. */

export interface Passes {
  draws: number;
  readBytes: number;
  writtenBytes: number;
}

/** Watches a context. It must start before any texture is made. */
export function watchPasses(gl: WebGL2RenderingContext): (f: () => void) => Passes {
  const sizes = new WeakMap<WebGLTexture, number>();
  const bytesPerTexel = new Map<number, number>([
    [gl.R32F, 4],
    [gl.R16F, 2],
    [gl.RGBA32F, 16],
    [gl.RGBA16F, 8],
    [gl.RGBA8, 4],
  ]);
  /** Array textures -> bytes of a texel. Their size is the area that is drawn into, times the number of layers. */
  const layered = new WeakMap<WebGLTexture, number>();
  let [area, layers] = [0, 0];
  let bound: WebGLTexture | null = null;
  let inputs = new Set<WebGLTexture>();
  const framebuffers = new Map<WebGLFramebuffer | null, Map<number, WebGLTexture | null>>();
  let targets = new Map<number, WebGLTexture | null>();
  let passes: Passes = { draws: 0, readBytes: 0, writtenBytes: 0 };

  after(gl, 'bindTexture', (_, texture) => {
    bound = texture;
    if (texture) inputs.add(texture);
  });
  after(gl, 'texStorage2D', (...[, , format, width, height]) => {
    sizes.set(bound!, width * height * bytesPerTexel.get(format)!);
  });
  after(gl, 'texStorage3D', (...[, , format]) => {
    layered.set(bound!, bytesPerTexel.get(format)!);
  });
  after(gl, 'viewport', (...[, , width, height]) => (area = width * height));
  after(gl, 'drawBuffers', (buffers) => (layers = [...buffers].length));
  after(gl, 'bindFramebuffer', (_, framebuffer) => {
    if (!framebuffers.has(framebuffer)) framebuffers.set(framebuffer, new Map());
    targets = framebuffers.get(framebuffer)!;
  });
  after(gl, 'framebufferTexture2D', (...[, attachment, , texture]) => {
    targets.set(attachment, texture);
  });
  after(gl, 'framebufferTextureLayer', (...[, , texture]) => {
    targets.set(gl.COLOR_ATTACHMENT0, texture);
  });
  after(gl, 'useProgram', () => (inputs = new Set()));
  after(gl, 'drawElements', () => {
    const total = (textures: Iterable<WebGLTexture | null>) =>
      [...textures].reduce((sum: number, texture) => sum + ((texture && sizes.get(texture)) ?? 0), 0);
    const target = targets.get(gl.COLOR_ATTACHMENT0)!;
    if (layered.has(target)) sizes.set(target, area * layers * layered.get(target)!);
    passes.draws++;
    passes.readBytes += total(inputs);
    passes.writtenBytes += total(targets.values());
  });

  return (f) => {
    passes = { draws: 0, readBytes: 0, writtenBytes: 0 };
    f();
    return passes;
  };
}

/** Calls `watcher` after each call of the context's method, with its arguments. */
function after<
  Name extends
    | 'bindTexture'
    | 'texStorage2D'
    | 'texStorage3D'
    | 'viewport'
    | 'drawBuffers'
    | 'bindFramebuffer'
    | 'framebufferTexture2D'
    | 'framebufferTextureLayer'
    | 'useProgram'
    | 'drawElements',
>(
  gl: WebGL2RenderingContext,
  name: Name,
  watcher: (...args: Parameters<WebGL2RenderingContext[Name]>) => void,
): void {
  const method = gl[name] as (...args: Parameters<WebGL2RenderingContext[Name]>) => void;
  Object.assign(gl, {
    [name]: (...args: Parameters<WebGL2RenderingContext[Name]>) => {
      method.apply(gl, args);
      watcher(...args);
    },
  });
}
