/** Progress of a long step: a bar on a terminal, one plain line at the start and one at the end elsewhere. */
import cliProgress from 'cli-progress';

export interface Progress {
  /** One more of `total` is done; `text` says what is at hand. */
  step(text?: string): void;
  done(): void;
}

export function progress(title: string, total: number): Progress {
  return process.stdout.isTTY ? bar(title, total) : lines(title, total);
}

function bar(title: string, total: number): Progress {
  const bar = new cliProgress.SingleBar(
    { format: `${title} {bar} {value}/{total} {text}`, stream: process.stdout, barsize: 30 },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0, { text: '' });
  return { step: (text = '') => bar.increment(1, { text }), done: () => bar.stop() };
}

function lines(title: string, total: number): Progress {
  const start = performance.now();
  console.log(`${title}: ${total} to do`);
  return {
    step: () => {},
    done: () => console.log(`${title}: done in ${((performance.now() - start) / 1000).toFixed(1)} s`),
  };
}
