/** Progress of a long step. On a terminal it is a bar, elsewhere one line at the start and one at the end. */
import cliProgress from 'cli-progress';

export interface Progress {
  /** One more of `total` is done. `text` says which one. */
  step(text?: string): void;
  /** All is done. */
  done(): void;
  /** No more steps come, whether all is done or not. */
  stop(): void;
}

export function progress(
  title: string,
  total: number,
  stream: NodeJS.WriteStream = process.stdout,
): Progress {
  return stream.isTTY ? bar(title, total, stream) : lines(title, total, stream);
}

function bar(title: string, total: number, stream: NodeJS.WriteStream): Progress {
  const format = `${title} {bar} {value}/{total} {text}`;
  const bar = new cliProgress.SingleBar(
    // linewrap: else the bar would switch the terminal's own wrapping off, and a run that is interrupted would leave it so
    { format, stream, barsize: 30, linewrap: true },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0, { text: '' });
  const stop = () => bar.stop();
  return { step: (text = '') => bar.increment(1, { text }), done: stop, stop };
}

function lines(title: string, total: number, stream: NodeJS.WriteStream): Progress {
  const start = performance.now();
  stream.write(`${title}: ${total} to do\n`);
  return {
    step: () => {},
    done: () => void stream.write(`${title}: done in ${((performance.now() - start) / 1000).toFixed(1)} s\n`),
    stop: () => {},
  };
}
