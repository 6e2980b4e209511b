/** What a verification reads: exported files, and folders of archived segments with their manifests. */
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonObject, isJsonObject, textOf } from '../../remote/json.ts';
import { LineCutter } from './line-cutter.ts';
import type { FileProblem } from './verification.ts';

/** One file of records. */
export interface Source {
  readonly path: string;
  readonly bytes: number;
  /** What the manifest says of it. */
  readonly sha256?: string | undefined;
}

export interface Sources {
  readonly files: readonly Source[];
  /** Of the manifests: each closes a segment. */
  readonly notes: readonly { readonly note: string; readonly where: string }[];
  readonly problems: readonly FileProblem[];
}

export const MANIFEST = 'manifest.jsonl';
const PIECE_BYTES = 1_048_576;
/** Segments of one archive. */
const SEGMENTS_MAX = 1_000_000;
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** Archived segments come first: what else is given goes on where they end. Throws where a path cannot be read. */
export async function findSources(paths: readonly string[]): Promise<Sources> {
  const [archived, others]: [Sources[], Source[]] = [[], []];
  for (const path of paths) {
    const about = statSync(path);
    if (about.isDirectory()) archived.push(await readArchive(path));
    else others.push({ path, bytes: about.size });
  }
  return {
    files: [...archived.flatMap(({ files }) => files), ...others],
    notes: archived.flatMap(({ notes }) => notes),
    problems: archived.flatMap(({ problems }) => problems),
  };
}

/** Gives every piece of the file to `onPiece`, and returns the SHA-256 of all. */
export async function readPieces(path: string, onPiece: (piece: Buffer) => void): Promise<string> {
  const digest = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: PIECE_BYTES })) {
    digest.update(piece as Buffer);
    onPiece(piece as Buffer);
  }
  return digest.digest('hex');
}

async function readArchive(folder: string): Promise<Sources> {
  const manifest = join(folder, MANIFEST);
  const problems: FileProblem[] = [];
  const entries: JsonObject[] = [];
  const names = new Set(readdirSync(folder));
  if (!names.has(MANIFEST)) {
    return { files: [], notes: [], problems: [{ file: manifest, reason: 'missing' }] };
  }
  const cutter = new LineCutter((line, end) => {
    // A line without an end was being written when the process died: its segment is not archived yet.
    if (end === 'cut_off') return;
    const entry = readEntry(line);
    if (entry === undefined || entries.length >= SEGMENTS_MAX) {
      problems.push({ file: manifest, reason: 'not_a_manifest' });
    } else entries.push(entry);
  });
  await readPieces(manifest, (piece) => cutter.push(piece));
  cutter.finish();
  const files: Source[] = [];
  const notes: { note: string; where: string }[] = [];
  for (const [index, entry] of entries.entries()) {
    const name = String(entry['file']);
    const path = join(folder, name);
    const note = textOf(entry['note']);
    if (note !== undefined) notes.push({ note, where: `${manifest}, line ${index + 1}` });
    if (names.has(name)) {
      files.push({ path, bytes: statSync(path).size, sha256: textOf(entry['sha256']) });
    } else problems.push({ file: path, reason: 'missing' });
  }
  return { files, notes, problems };
}

/** `undefined` for what names no file beside the manifest. */
function readEntry(line: Buffer): JsonObject | undefined {
  try {
    const entry: unknown = JSON.parse(line.toString('utf8'));
    const isEntry = isJsonObject(entry) && FILE_NAME.test(textOf(entry['file']) ?? '');
    return isEntry && /^[0-9a-f]{64}$/.test(textOf(entry['sha256']) ?? '') ? entry : undefined;
  } catch {
    return undefined;
  }
}
