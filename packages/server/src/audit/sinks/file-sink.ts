/** Checkpoints in an append-only file: signed notes, each followed by an empty line. */
import { appendDurably, readTail } from '../../kernel/durable-files.ts';
import { describeError } from '../../kernel/fault.ts';
import type { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import type { ChainState } from '../../storage/audit-chain.ts';
import type { StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';
import type { AuditSink, SinkOutcome } from './audit-sink.ts';

/** What is looked through for a node's last checkpoint: some thirty thousand of them. */
const TAIL_BYTES_MAX = 8 * 1_024 * 1_024;
const BLANK_LINE = '\n\n';
const NOTE = /\S+\/node\/\d+\n\d+\n\S+\n\n— \S+ \S+\n/g;

export class FileSink implements AuditSink {
  readonly name = 'file';
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async deliver(page: readonly StoredCheckpoint[]): Promise<SinkOutcome> {
    try {
      // An append that broke off, on a full disk, is closed: what is written is never taken back.
      const end = await readTail(this.#file, BLANK_LINE.length);
      const opening = end === '' || end === BLANK_LINE ? '' : BLANK_LINE;
      await appendDurably(this.#file, opening + page.map(({ note }) => `${note}\n`).join(''));
      return { delivered: page.length, problem: undefined };
    } catch (error) {
      return { delivered: 0, problem: `the file cannot be written: ${codeOf(error)}` };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The last checkpoint of a node in a file, signed by the key: what the database must still tell of. */
export async function readWitness(
  file: string,
  of: { readonly node: number; readonly key: CheckpointKey },
): Promise<ChainState | undefined> {
  const text = await readTail(file, TAIL_BYTES_MAX);
  const notes = text.match(NOTE) ?? [];
  for (const note of notes.toReversed()) {
    if (!note.startsWith(`${of.key.originOf(of.node)}\n`)) continue;
    const checkpoint = of.key.open(note);
    if (checkpoint === undefined) continue;
    return { sequence: checkpoint.size, head: Buffer.from(checkpoint.head).toString('base64url') };
  }
  return undefined;
}

/** The code of what the operating system says, without the path. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : describeError(error);
}
