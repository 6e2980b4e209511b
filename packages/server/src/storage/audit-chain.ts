/**
 * The hash chain over a node's audit records, computed by the writer in commit order (security.md 5):
 * `leaf = SHA-256(0x00 ‖ record)`, `head_n = SHA-256(0x02 ‖ head_{n-1} ‖ leaf)`. The first head's predecessor is 32 zero bytes.
 */
import { hash } from 'node:crypto';

const HASH_BYTES = 32;

export interface ChainState {
  /** Sequence of the last record, 0 when there is none. */
  readonly sequence: number;
  /** Head after it, base64url. */
  readonly head: string;
}

export const EMPTY_CHAIN: ChainState = { sequence: 0, head: Buffer.alloc(HASH_BYTES).toString('base64url') };

export interface ChainedRecord {
  readonly record: string;
  readonly state: ChainState;
}

/**
 * Numbers a record and chains it. `body` is its JSON, an object or an array, without its opening; the stored bytes are what
 * is hashed. Node and sequence are said here, when they are certain: a writer may have become another node since the body
 * was rendered.
 */
export function chainRecord(
  state: ChainState,
  { node, body }: { readonly node: number; readonly body: string },
): ChainedRecord {
  const sequence = state.sequence + 1;
  const record = body.endsWith(']')
    ? `[${sequence},${node},${body}`
    : `{"sequence":${sequence},"node":${node},${body}`;
  return { record, state: { sequence, head: nextHead(state.head, record) } };
}

/** A head as it is stored: its bytes. */
export function headBytes(head: string): Buffer {
  return Buffer.from(head, 'base64url');
}

/** The head that was stored as bytes. */
export function headText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/** `0x02 ‖ head ‖ leaf`, filled anew for each record: two are chained for every call. */
const pair = Buffer.alloc(1 + 2 * HASH_BYTES, 0x02);

/** `SHA-256(0x00 ‖ record)`. */
export function leafOf(record: string): Buffer {
  return hash('sha256', Buffer.from(`\0${record}`, 'utf8'), 'buffer');
}

/** The head that follows `head` when `record` is the next one. Both heads are base64url. */
export function nextHead(head: string, record: string): string {
  pair.write(head, 1, HASH_BYTES, 'base64url');
  // Hashes are taken and given as text, which costs half of what a buffer each would.
  pair.write(hash('sha256', Buffer.from(`\0${record}`, 'utf8'), 'hex'), 1 + HASH_BYTES, HASH_BYTES, 'hex');
  return hash('sha256', pair, 'base64url');
}
