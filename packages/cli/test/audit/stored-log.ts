/** Test support: a log as a database holds it, the checkpoints that were signed of it, and their verification. */
import { renderExportLine } from '../../../server/src/audit/export/export-line.ts';
import { EMPTY_CHAIN, chainRecord, headBytes } from '../../../server/src/storage/audit-chain.ts';
import { CheckpointBook, readVerifierKey } from '../../src/audit/verify/checkpoint-book.ts';
import { LineCutter } from '../../src/audit/verify/line-cutter.ts';
import { NoteReader } from '../../src/audit/verify/note-reader.ts';
import { type Report, Verification } from '../../src/audit/verify/verification.ts';

export interface StoredRow {
  readonly node: number;
  readonly sequence: number;
  readonly record: string;
  readonly head: Buffer;
}

/** Chains records anew, whatever number and node their texts say: what somebody can do who has the database and no key. */
export function chainAgain(records: readonly string[], node: number, after = EMPTY_CHAIN): StoredRow[] {
  let state = after;
  return records.map((text) => {
    const body = text.replace(/^(?:\{"sequence":\d+,"node":\d+,|\[\d+,\d+,)/, '');
    const chained = chainRecord(state, { node, body });
    state = chained.state;
    return { node, sequence: state.sequence, record: chained.record, head: headBytes(state.head) };
  });
}

export function renderLog(rows: readonly StoredRow[]): Buffer {
  return Buffer.from(rows.map(renderExportLine).join(''), 'utf8');
}

export function bookOf(notes: readonly string[], ...keys: readonly string[]): CheckpointBook {
  const book = new CheckpointBook(keys.map((key) => readVerifierKey(key)).filter((key) => key !== undefined));
  for (const note of notes) book.add(note, 'notes');
  return book;
}

/** What the command reads from a file of checkpoints. */
export function bookOfFile(text: string, key: string): CheckpointBook {
  const book = bookOf([], key);
  const reader = new NoteReader({
    onNote: (note) => book.add(note, 'file'),
    onTorn: () => book.addTorn('file'),
  });
  reader.push(Buffer.from(text));
  reader.finish();
  return book;
}

/** Through the code of the command, from bytes as a file gives them, in pieces. */
export function verifyBytes(
  files: readonly Buffer[],
  book: CheckpointBook,
  { isPart = false, pieceBytes = 65_536 }: { isPart?: boolean; pieceBytes?: number } = {},
): Report {
  const verification = new Verification(book, { isPart });
  for (const bytes of files) {
    verification.beginFile();
    const cutter = new LineCutter((line, end) => verification.addLine(line, end));
    for (let at = 0; at < bytes.length; at += pieceBytes) cutter.push(bytes.subarray(at, at + pieceBytes));
    cutter.finish();
  }
  return verification.finish();
}
