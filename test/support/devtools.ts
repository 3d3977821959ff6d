/**
 * A page in Chromium, driven from outside as a person drives it: windows of any width, real keys, real pointers, themes, pictures.
 * It speaks the DevTools protocol through the pipe that openChromium opens.
 */
import type { Readable, Writable } from 'node:stream';
import { CHROMIUM_FLAGS, openChromium } from '../../src/cli/browser.js';

type Result = Record<string, unknown>;
type Send = (method: string, params?: object) => Promise<Result>;

export interface Look {
  width?: number;
  height?: number;
  /** Values of media features: { 'prefers-color-scheme': 'dark', 'forced-colors': 'active' }. */
  media?: Record<string, string>;
}

export interface Page {
  open(url: string): Promise<void>;
  look(look: Look): Promise<void>;
  /** The value of an expression in the page, awaited. @throws Error that the page throws */
  evaluate<T>(expression: string): Promise<T>;
  /** Presses keys, one after the other, by their names: 'Tab', 'ArrowUp', 'Shift+Tab', 'a'. */
  press(...keys: string[]): Promise<void>;
  /** Presses the pointer at the first point, moves it through the others, and lets it go. */
  drag(points: [x: number, y: number][]): Promise<void>;
  /** A picture of the window, as a PNG. */
  picture(): Promise<Buffer>;
}

/** Opens a browser, works in a page of it, and closes it. */
export async function withPage<T>(work: (page: Page) => Promise<T>): Promise<T> {
  const browser = await openChromium('about:blank', CHROMIUM_FLAGS);
  try {
    const [, , , writes, reads] = browser.process.stdio as unknown as [0, 0, 0, Writable, Readable];
    const send = protocol(writes, reads);
    const { targetInfos } = (await send('Target.getTargets')) as { targetInfos: { type: string; targetId: string }[] }; // prettier-ignore
    const { targetId } = targetInfos.find(({ type }) => type === 'page')!;
    const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
    return await work(pageOf((method, params) => send(method, params, sessionId as string)));
  } finally {
    browser.kill();
  }
}

/** Messages are JSON, each with a zero behind it. */
function protocol(writes: Writable, reads: Readable) {
  const waiting = new Map<number, { done: (result: Result) => void; fail: (error: Error) => void }>();
  let rest = '';
  reads.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop()!;
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message) as { id: number; result: Result; error?: { message: string } }; // prettier-ignore
      const { done, fail } = waiting.get(id) ?? {};
      waiting.delete(id);
      if (error) fail?.(new Error(error.message));
      else done?.(result);
    }
  });
  let last = 0;
  return (method: string, params: object = {}, sessionId?: string) =>
    new Promise<Result>((done, fail) => {
      waiting.set(++last, { done, fail });
      writes.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
}

function pageOf(send: Send): Page {
  async function evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })) as { result: { value: T }; exceptionDetails?: { exception?: { description: string } } }; // prettier-ignore
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? 'The page threw.');
    return result.value;
  }
  return {
    evaluate,
    async open(url) {
      await send('Page.navigate', { url: 'about:blank' }); // a new hash alone would not load the page again
      await send('Page.navigate', { url });
      while (!(await evaluate("location.href !== 'about:blank' && document.readyState === 'complete'")))
        continue;
    },
    async look({ width = 1280, height = 800, media = {} }) {
      await send('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: width < 600,
      });
      const features = Object.entries(media).map(([name, value]) => ({ name, value }));
      await send('Emulation.setEmulatedMedia', { features });
    },
    async press(...keys) {
      for (const name of keys) {
        const [key, modifier] = name.split('+').reverse();
        const text = key === 'Enter' ? '\r' : key === 'Space' ? ' ' : key.length === 1 ? key : undefined;
        const event = { ...codes(key), modifiers: modifier === 'Shift' ? 8 : 0 };
        await send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', ...event, text });
        await send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
      }
    },
    async drag(points) {
      const at = (type: string, [x, y]: number[]) => send('Input.dispatchMouseEvent', { type, x, y, button: 'left', buttons: 1, clickCount: 1 }); // prettier-ignore
      await at('mousePressed', points[0]);
      for (const point of points.slice(1)) await at('mouseMoved', point);
      await at('mouseReleased', points[points.length - 1]);
    },
    async picture() {
      const { data } = await send('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(data as string, 'base64');
    },
  };
}

/** What a browser reads of a key. */
const CODES: Record<string, number> = { Tab: 9, Enter: 13, Space: 32, PageUp: 33, PageDown: 34, End: 35, Home: 36, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40, Backspace: 8, Escape: 27 }; // prettier-ignore

function codes(key: string) {
  const code = CODES[key] ?? key.toUpperCase().charCodeAt(0);
  return { key: key === 'Space' ? ' ' : key, code: key.length === 1 ? `Key${key.toUpperCase()}` : key, windowsVirtualKeyCode: code }; // prettier-ignore
}
