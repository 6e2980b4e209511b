/** Test support: the ways to tamper with a stored log, each drawn from a seed, with what a verification has to say to it. */
import { type ChainState, EMPTY_CHAIN, headText } from '../../../server/src/storage/audit-chain.ts';
import { type StoredRow, chainAgain } from './stored-log.ts';

export const TAMPERINGS = [
  'flip a bit of a record',
  'flip a bit of a head',
  'delete',
  'swap two',
  'insert a forged one',
  'truncate the end',
  'roll everything back',
  'recompute the chain',
  'delete up to a checkpoint and forge what follows',
  'forge a further file',
  'truncate the end behind a torn note',
] as const;
export type Tampering = (typeof TAMPERINGS)[number];

/** A row whose record is bytes, since a flipped bit need not leave valid text. */
export interface RawRow {
  readonly node: number;
  readonly sequence: number;
  readonly record: Buffer;
  readonly head: Buffer;
}

export interface Tampered {
  readonly rows: readonly RawRow[];
  /** Of a second file that is given with the first. */
  readonly more?: readonly RawRow[];
  /** What a file of checkpoints holds, where it is not as it was written. */
  readonly checkpoints?: string;
  /** Of each node that was tampered with: the first bad sequence is one of these. */
  readonly firstBad: ReadonlyMap<number, { readonly from: number; readonly to: number }>;
}

export interface SignedLog {
  /** Of all nodes, in the order of an export. */
  readonly rows: readonly StoredRow[];
  /** Signed sizes of each node, ascending. */
  readonly sizes: ReadonlyMap<number, readonly number[]>;
  /** The notes of each node, in the order of the sizes. */
  readonly notes: ReadonlyMap<number, readonly string[]>;
}

/** From 0 up to, without, the bound. */
export type Draw = (bound: number) => number;

export function tamper(log: SignedLog, kind: Tampering, draw: Draw): Tampered {
  const raw = log.rows.map(toRaw);
  const at = draw(raw.length);
  const row = raw[at];
  if (row === undefined) throw new RangeError('the log is empty');
  const { node, sequence } = row;
  const only = (from: number, to = from) => new Map([[node, { from, to }]]);
  switch (kind) {
    case 'flip a bit of a record':
      return { rows: raw.with(at, { ...row, record: flip(row.record, draw) }), firstBad: only(sequence) };
    case 'flip a bit of a head':
      return { rows: raw.with(at, { ...row, head: flip(row.head, draw) }), firstBad: only(sequence) };
    case 'delete': {
      const count = 1 + draw(3);
      const rows = raw.filter(
        (each) => each.node !== node || each.sequence < sequence || each.sequence >= sequence + count,
      );
      return { rows, firstBad: only(sequence) };
    }
    case 'swap two': {
      const others = raw.filter((each) => each.node === node && each.sequence !== sequence);
      const other = others[draw(others.length)] ?? row;
      const keepsHeads = draw(2) === 0;
      const swapped = (to: RawRow, from: RawRow) => (keepsHeads ? { ...to, record: from.record } : from);
      const rows = raw.map((each) =>
        each === row ? swapped(row, other) : each === other ? swapped(other, row) : each,
      );
      return { rows, firstBad: only(Math.min(sequence, other.sequence)) };
    }
    case 'insert a forged one': {
      const forged = forge(log, { node, sequence }, draw);
      const rows = raw.toSpliced(at, 0, forged);
      return { rows, firstBad: only(sequence) };
    }
    case 'truncate the end': {
      const last = (log.sizes.get(node) ?? []).at(-1) ?? 0;
      const end = draw(last);
      const rows = raw.filter((each) => each.node !== node || each.sequence <= end);
      return { rows, firstBad: only(end + 1) };
    }
    case 'roll everything back': {
      const ends = new Map([...log.sizes].map(([each, sizes]) => [each, draw(sizes.at(-1) ?? 0)]));
      const rows = raw.filter((each) => each.sequence <= (ends.get(each.node) ?? 0));
      return { rows, firstBad: new Map([...ends].map(([each, end]) => [each, at1(end + 1)])) };
    }
    case 'recompute the chain':
      return recompute(log, { node, sequence }, draw);
    case 'delete up to a checkpoint and forge what follows':
      return forgeFromCheckpoint(log, node, draw);
    case 'forge a further file':
      return forgeFile(log, { node, sequence }, draw);
    case 'truncate the end behind a torn note':
      return tearNote(log, node, draw);
  }
}

/** Deletes, inserts or changes a record, and computes every head that follows anew. */
function recompute(
  log: SignedLog,
  { node, sequence }: Pick<RawRow, 'node' | 'sequence'>,
  draw: Draw,
): Tampered {
  const sizes = log.sizes.get(node) ?? [];
  // What no checkpoint covers yet can be rewritten by whoever owns the database; nothing proves it.
  const newest = sizes.at(-1) ?? 0;
  const from = Math.min(sequence, newest);
  const records = log.rows.filter((each) => each.node === node).map(({ record }) => record);
  const change = draw(3);
  if (change === 0) records.splice(from - 1, 1);
  else if (change === 1) records.splice(from - 1, 0, forgedBody(draw));
  else records[from - 1] = forgedBody(draw);
  const rows = chainAgain(records, node).map(toRaw);
  const others = log.rows.filter((each) => each.node !== node).map(toRaw);
  const before = sizes.filter((size) => size < from).at(-1) ?? 0;
  const firstBad = new Map([[node, { from: before + 1, to: from }]]);
  return { rows: [...others, ...rows].toSorted((a, b) => a.node - b.node), firstBad };
}

/** From a signed head, which is public: nothing is left that was before. */
function forgeFromCheckpoint(log: SignedLog, node: number, draw: Draw): Tampered {
  const sizes = log.sizes.get(node) ?? [];
  const place = draw(sizes.length);
  const size = sizes[place] ?? 0;
  const next = sizes[place + 1];
  const bodies = Array.from({ length: (sizes.at(-1) ?? 0) - size + 1 + draw(5) }, () => forgedBody(draw));
  const rows = chainAgain(bodies, node, stateAt(log, { node, sequence: size })).map(toRaw);
  const others = log.rows.filter((each) => each.node !== node).map(toRaw);
  // Behind the newest nothing says that a record is bad: what was before is missing, and nothing is proven.
  const firstBad = new Map(next === undefined ? [] : [[node, { from: size + 1, to: next }]]);
  return { rows: [...others, ...rows].toSorted((a, b) => a.node - b.node), firstBad };
}

/** The whole log, and a file of some forged records beside it, which begins with any head that is known. */
function forgeFile(
  log: SignedLog,
  { node, sequence }: Pick<RawRow, 'node' | 'sequence'>,
  draw: Draw,
): Tampered {
  const bodies = Array.from({ length: 1 + draw(5) }, () => forgedBody(draw));
  const before = stateAt(log, { node, sequence: sequence - 1 });
  const more = chainAgain(bodies, node, before).map(toRaw);
  const newest = log.rows.filter((each) => each.node === node).length;
  const [first] = more;
  const right = log.rows.find((each) => each.node === node && each.sequence === sequence);
  // Alone under the head of the record in whose place it is, or with others that go on from its own.
  if (first !== undefined && right !== undefined && draw(2) === 0) {
    more.splice(0, more.length, { ...first, head: right.head });
  }
  const to = Math.min(sequence + more.length - 1, newest);
  return { rows: log.rows.map(toRaw), more, firstBad: new Map([[node, { from: sequence, to }]]) };
}

/** A write broke off, the server started anew and went on; then the log was cut off. */
function tearNote(log: SignedLog, node: number, draw: Draw): Tampered {
  const notes = (log.notes.get(node) ?? []).slice(-3);
  const [first = ''] = notes;
  const torn = first.slice(0, 1 + draw(first.length - 2)) + '\n'.repeat(1 + draw(3));
  const end = draw((log.sizes.get(node) ?? []).at(-3) ?? 0);
  const rows = log.rows.filter((each) => each.node === node && each.sequence <= end).map(toRaw);
  const checkpoints = torn + notes.map((note) => `${note}\n`).join('');
  return { rows, checkpoints, firstBad: new Map([[node, at1(end + 1)]]) };
}

function stateAt(log: SignedLog, { node, sequence }: Pick<RawRow, 'node' | 'sequence'>): ChainState {
  const row = log.rows.find((each) => each.node === node && each.sequence === sequence);
  return row === undefined ? EMPTY_CHAIN : { sequence, head: headText(row.head) };
}

/** A record with the number of another, under its own right head or under any. */
function forge(log: SignedLog, { node, sequence }: Pick<RawRow, 'node' | 'sequence'>, draw: Draw): RawRow {
  const before = log.rows.filter((each) => each.node === node && each.sequence < sequence);
  const chained = chainAgain([...before.map(({ record }) => record), forgedBody(draw)], node).at(-1);
  if (chained === undefined) throw new RangeError('nothing was chained');
  const raw = toRaw(chained);
  return draw(2) === 0 ? raw : { ...raw, head: flip(raw.head, draw) };
}

function forgedBody(draw: Draw): string {
  return `"time":"2026-01-01T00:00:00.000Z","actor":"key_${draw(1_000_000)}","action":"key.revoked"}`;
}

function at1(sequence: number): { from: number; to: number } {
  return { from: sequence, to: sequence };
}

function flip(bytes: Buffer, draw: Draw): Buffer {
  const copy = Buffer.from(bytes);
  const at = draw(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << draw(8));
  return copy;
}

function toRaw({ node, sequence, record, head }: StoredRow): RawRow {
  return { node, sequence, record: Buffer.from(record, 'utf8'), head };
}

/** As an export has them. */
export function renderRaw(rows: readonly RawRow[]): Buffer {
  return Buffer.concat(
    rows.flatMap(({ record, head }) => [
      Buffer.from(`{"head":"${head.toString('base64url')}","record":`),
      record,
      Buffer.from('}\n'),
    ]),
  );
}
