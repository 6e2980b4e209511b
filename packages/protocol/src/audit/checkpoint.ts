/**
 * Checkpoints of the audit log: what a node's chain had come to, as the text of a signed note. Laid out as C2SP's
 * tlog-checkpoint (origin, size, hash), where the hash is the head of a linear chain and not the root of a Merkle tree.
 */
import { decodeBase64, encodeBase64 } from '../signing/base64.ts';

export interface Checkpoint {
  /** Names the log: the signing key's name, then `/node/` and the node's number. */
  readonly origin: string;
  readonly node: number;
  /** Records in the chain: the sequence of the last one. */
  readonly size: number;
  /** The head after it, 32 bytes. */
  readonly head: Uint8Array;
}

const HEAD_BYTES = 32;
const TEXT = /^(\S+\/node\/([1-9]\d{0,4}))\n(0|[1-9]\d{0,15})\n(\S+)\n$/;

export function checkpointOrigin(keyName: string, node: number): string {
  return `${keyName}/node/${node}`;
}

/** The text that is signed. */
export function renderCheckpoint({ origin, size, head }: Omit<Checkpoint, 'node'>): string {
  return `${origin}\n${size}\n${encodeBase64(head)}\n`;
}

/** `undefined` for any other text, also one that another program has signed with the same key. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [, origin = '', node, size, encoded = ''] = TEXT.exec(text) ?? [];
  const head = decodeBase64(encoded);
  if (head?.length !== HEAD_BYTES || !Number.isSafeInteger(Number(size))) return undefined;
  return { origin, node: Number(node), size: Number(size), head };
}
