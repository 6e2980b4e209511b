/** Verifies files from beginning to end: first the checkpoints, then every record, one piece of a file at a time. */
import { CheckpointBook, type LogKey } from './checkpoint-book.ts';
import { LineCutter } from './line-cutter.ts';
import { NoteReader } from './note-reader.ts';
import { findSources, readPieces } from './source.ts';
import { type Report, Verification, type VerificationOptions } from './verification.ts';

export interface VerificationInput extends VerificationOptions {
  /** Absolute: exported files, and folders of archives. */
  readonly records: readonly string[];
  readonly checkpoints: readonly string[];
  readonly keys: readonly LogKey[];
  /** Of the bytes of records. */
  readonly onProgress?: (of: {
    readonly done: number;
    readonly total: number;
    readonly records: number;
  }) => void;
}

/** Throws what the file system throws where a file cannot be read. */
export async function runVerification(input: VerificationInput): Promise<Report> {
  const sources = await findSources(input.records);
  const book = new CheckpointBook(input.keys);
  for (const path of input.checkpoints) await readNotes(book, path);
  for (const { note, where } of sources.notes) book.add(note, where);
  // Nothing that is not signed is proven.
  if (book.notes === 0) book.isIncomplete = true;
  const verification = new Verification(book, input);
  for (const problem of sources.problems) verification.addFileProblem(problem);
  const total = sources.files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const { path, sha256 } of sources.files) {
    verification.beginFile();
    const cutter = new LineCutter((line, end) => verification.addLine(line, end));
    const digest = await readPieces(path, (piece) => {
      cutter.push(piece);
      done += piece.length;
      input.onProgress?.({ done, total, records: verification.records });
    });
    cutter.finish();
    if (sha256 !== undefined && digest !== sha256) {
      verification.addFileProblem({ file: path, reason: 'digest_differs' });
    }
  }
  return verification.finish();
}

async function readNotes(book: CheckpointBook, path: string): Promise<void> {
  let number = 0;
  const next = () => `${path}, note ${++number}`;
  const reader = new NoteReader({
    onNote: (note) => book.add(note, next()),
    onTorn: () => book.addTorn(next()),
  });
  await readPieces(path, (piece) => reader.push(piece));
  reader.finish();
}
