/** Checkpoints in an append-only file: signed notes, each followed by an empty line. */
import { BoundedWait } from '../../kernel/bounded-wait.ts';
import { appendDurably, readTail } from '../../kernel/durable-files.ts';
import { describeError } from '../../kernel/fault.ts';
import type { StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';
import type { AuditSink, SinkOutcome } from './audit-sink.ts';

/** Of one append, on storage that may hang. */
const APPEND_TIMEOUT_MS = 5_000;
const BLANK_LINE = '\n\n';

export class FileSink implements AuditSink {
  readonly name = 'file';
  readonly #file: string;
  readonly #waiting = new BoundedWait(APPEND_TIMEOUT_MS);

  constructor(file: string) {
    this.#file = file;
  }

  /** What has had checkpoints and is gone is a place that is not mounted: a file there would be another one. */
  async deliver(page: readonly StoredCheckpoint[], mustExist = false): Promise<SinkOutcome> {
    try {
      await this.#waiting.for(async () => {
        // An append that broke off, on a full disk, is closed: what is written is never taken back.
        const end = await readTail(this.#file, BLANK_LINE.length);
        const opening = end === '' || end === BLANK_LINE ? '' : BLANK_LINE;
        const text = opening + page.map(({ note }) => `${note}\n`).join('');
        await appendDurably(this.#file, text, { mustExist });
      });
      return { delivered: page.length, problem: undefined };
    } catch (error) {
      return { delivered: 0, problem: `the file cannot be written: ${codeOf(error)}` };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The code of what the operating system says, without the path. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : describeError(error);
}
