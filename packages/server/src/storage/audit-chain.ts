/**
 * The hash chain over a node's audit records, computed by the writer in commit order (security.md 5):
 * `leaf = SHA-256(0x00 ‖ record)`, `head_n = SHA-256(0x02 ‖ head_{n-1} ‖ leaf)`. The first head's predecessor is 32 zero bytes.
 */
import { hash } from 'node:crypto';

export interface ChainState {
  /** Sequence of the last record, 0 when there is none. */
  readonly sequence: number;
  /** Head after it, 32 bytes. */
  readonly head: Buffer;
}

export const EMPTY_CHAIN: ChainState = { sequence: 0, head: Buffer.alloc(32) };

export interface ChainedRecord {
  readonly record: string;
  readonly state: ChainState;
}

const LEAF_PREFIX = '\0';
const HEAD_PREFIX = Buffer.of(0x02);

/** Numbers a record and chains it. `body` is its JSON without the opening `{`; the stored bytes are what is hashed. */
export function chainRecord(state: ChainState, body: string): ChainedRecord {
  const sequence = state.sequence + 1;
  const record = `{"sequence":${sequence},${body}`;
  return { record, state: { sequence, head: nextHead(state.head, record) } };
}

/** The head that follows `head` when `record` is the next one. */
export function nextHead(head: Buffer, record: string): Buffer {
  // A text is hashed as its UTF-8 bytes.
  const leaf = hash('sha256', LEAF_PREFIX + record, 'buffer');
  return hash('sha256', Buffer.concat([HEAD_PREFIX, head, leaf]), 'buffer');
}
