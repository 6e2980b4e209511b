/** A progress bar for people: one line on a terminal that is drawn over again, and nothing anywhere else. */
import { performance } from 'node:perf_hooks';
import type { Context } from '../context.ts';

export interface Progress {
  /** `done` of the total. The label is asked for only when the line is drawn. */
  show(done: number, label: () => string): void;
  /** Takes the line away. */
  clear(): void;
}

export interface ProgressOptions {
  readonly env: Context['env'];
  /** Without it there is a label and no bar. */
  readonly total?: number | undefined;
  readonly nowMs?: () => number;
}

type ProgressStream = Context['stderr'] & { readonly columns?: number };

/** What is done by then needs no bar. */
const FIRST_AFTER_MS = 400;
const AGAIN_AFTER_MS = 100;
const BAR_CELLS = 24;
const COLUMNS_DEFAULT = 80;
const ERASE_LINE = '\r\u001b[K';

const SILENT: Progress = { show: () => undefined, clear: () => undefined };

export function createProgress(stream: ProgressStream, options: ProgressOptions): Progress {
  if (stream.isTTY !== true || options.env['TERM'] === 'dumb') return SILENT;
  const { total, nowMs = () => performance.now() } = options;
  let nextMs = nowMs() + FIRST_AFTER_MS;
  let isDrawn = false;
  return {
    show(done, label) {
      const now = nowMs();
      if (now < nextMs) return;
      nextMs = now + AGAIN_AFTER_MS;
      isDrawn = true;
      const line = total === undefined ? label() : `${renderBar(done / Math.max(total, 1))}  ${label()}`;
      // A terminal that does not know its width says 0.
      stream.write(ERASE_LINE + line.slice(0, (stream.columns || COLUMNS_DEFAULT) - 1));
    },
    clear() {
      if (isDrawn) stream.write(ERASE_LINE);
      isDrawn = false;
    },
  };
}

/** What was expected may grow while it is done: a bar is never more than full. */
function renderBar(share: number): string {
  const shown = Math.min(share, 1);
  const cells = Math.floor(shown * BAR_CELLS);
  const percent = String(Math.floor(shown * 100)).padStart(3);
  return `${'█'.repeat(cells)}${'░'.repeat(BAR_CELLS - cells)} ${percent} %`;
}
