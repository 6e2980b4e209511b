/** Reads the checkpoint file as a witness: what the largest checkpoint of a node is that stands in it. */
import { openIfThere } from '../../kernel/durable-files.ts';
import type { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import type { ChainState } from '../../storage/audit-chain.ts';

/** Small, since calls wait while a piece is looked through: some five thousand notes. */
const PIECE_BYTES = 1_024 * 1_024;
/** More than a note has: one that is cut by the end of a piece is whole in the next. */
const OVERLAP_BYTES = 2_048;
/** Each part has its bound, so that no text makes the search slow. */
const NOTE = /\S{1,200}\/node\/\d{1,6}\n(\d{1,16})\n\S{1,100}\n\n— \S{1,200} \S{1,200}\n/g;

export interface WitnessQuestion {
  readonly node: number;
  readonly key: CheckpointKey;
  /** Whether the file must be there, as far as the database knows. Asked only where it is not. */
  readonly mustExist?: () => Promise<boolean>;
}

/**
 * The largest checkpoint of a node in the file, signed by the key: what the database must still tell of. All of the file is
 * read: after a rollback, what was signed before stands behind what was signed last.
 */
export async function readWitness(file: string, of: WitnessQuestion): Promise<ChainState | undefined> {
  const handle = await openIfThere(file);
  if (handle === undefined) {
    if ((await of.mustExist?.()) !== true) return undefined;
    throw new Error(
      'the checkpoint file is gone, though it has had checkpoints: make an empty one if that is meant',
    );
  }
  try {
    let largest: ChainState | undefined;
    const bytes = Buffer.alloc(OVERLAP_BYTES + PIECE_BYTES);
    let kept = 0;
    for (let position = 0; ;) {
      const { bytesRead } = await handle.read(bytes, kept, PIECE_BYTES, position);
      if (bytesRead === 0) return largest;
      position += bytesRead;
      const end = kept + bytesRead;
      largest = findLargest(bytes.toString('utf8', 0, end), of, largest);
      kept = Math.min(OVERLAP_BYTES, end);
      bytes.copy(bytes, 0, end - kept, end);
    }
  } finally {
    await handle.close();
  }
}

/** The largest of a text, where it is larger than what is known. Few signatures are verified: those of the largest first. */
function findLargest(
  text: string,
  { node, key }: WitnessQuestion,
  known: ChainState | undefined,
): ChainState | undefined {
  const origin = `${key.originOf(node)}\n`;
  const larger = [...text.matchAll(NOTE)]
    .map(([note, size]) => ({ note, size: Number(size) }))
    .filter(({ note, size }) => size > (known?.sequence ?? 0) && note.startsWith(origin))
    .toSorted((a, b) => b.size - a.size);
  for (const { note } of larger) {
    const checkpoint = key.open(note);
    if (checkpoint === undefined) continue;
    return { sequence: checkpoint.size, head: Buffer.from(checkpoint.head).toString('base64url') };
  }
  return known;
}
