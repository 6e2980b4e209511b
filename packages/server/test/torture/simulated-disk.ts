/**
 * Torture: a disk that knows what was synced. It replays what a process asked of its files, and tells what a power loss may
 * leave of them: all that was synced, and of the rest any part, page by page or torn at sectors of 512 bytes. It is as strict
 * as POSIX: a new name is lost unless its folder was synced.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { SeededRandom } from '../seeded-random.ts';
import type { TraceEvent } from './syscall-trace.ts';

const PAGE_BYTES = 4_096;
const SECTOR_BYTES = 512;

/** What becomes of what was not synced. */
export const SURVIVALS = ['nothing', 'everything', 'in order', 'pages', 'sectors'] as const;
type Survival = (typeof SURVIVALS)[number];

interface Change {
  readonly at: number;
  readonly offset: number;
  /** Absent where the file is cut to `offset` bytes. */
  readonly data: Buffer | undefined;
}

class SimulatedFile {
  durable: Buffer = Buffer.alloc(0);
  durableBytes = 0;
  pending: Change[] = [];

  sync(before: number): void {
    for (const change of this.pending) if (change.at < before) this.#settle(change);
    this.pending = this.pending.filter(({ at }) => at >= before);
  }

  #settle({ offset, data }: Change): void {
    if (data === undefined) {
      this.durable.fill(0, Math.min(offset, this.durableBytes), this.durableBytes);
      this.durableBytes = offset;
      return;
    }
    const end = offset + data.length;
    if (end > this.durable.length) {
      const grown = Buffer.alloc(Math.max(end, 2 * this.durable.length));
      this.durable.copy(grown, 0, 0, this.durableBytes);
      this.durable = grown;
    }
    data.copy(this.durable, offset);
    this.durableBytes = Math.max(this.durableBytes, end);
  }
}

type Node = SimulatedFile | 'folder';

interface NameChange {
  readonly at: number;
  readonly path: string;
  readonly node: Node | undefined;
}

export class SimulatedDisk {
  readonly #folder: string;
  readonly #live = new Map<string, Node>();
  readonly #durable = new Map<string, Node>();
  /** By folder. */
  readonly #names = new Map<string, NameChange[]>();
  #at = 0;

  /** Begins with what is in the folder now, all of it on the disk. */
  constructor(folder: string) {
    this.#folder = folder;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (path.endsWith('-shm')) continue;
      const node = entry.isDirectory() ? ('folder' as const) : new SimulatedFile();
      if (node !== 'folder') {
        node.durable = readFileSync(path);
        node.durableBytes = node.durable.length;
      }
      this.#live.set(path, node);
      this.#durable.set(path, node);
    }
  }

  /** Events must come one after the other, from the first. */
  apply(event: TraceEvent): void {
    const at = this.#at++;
    switch (event.kind) {
      case 'write':
        this.#fileAt(event.path).pending.push({ at, offset: event.offset, data: event.data });
        break;
      case 'truncate':
        this.#fileAt(event.path).pending.push({ at, offset: event.size, data: undefined });
        break;
      case 'create':
        if (!this.#live.has(event.path)) this.#rename(at, event.path, new SimulatedFile());
        break;
      case 'mkdir':
        this.#rename(at, event.path, 'folder');
        break;
      case 'unlink':
        this.#rename(at, event.path, undefined);
        break;
      case 'rename': {
        const node = this.#fileAt(event.path);
        this.#rename(at, event.path, undefined);
        this.#rename(at, event.to, node);
        break;
      }
      case 'sync':
        this.#sync(event.path, event.began);
        break;
      case 'departure':
    }
  }

  /** Writes what a power loss may leave now into another folder. Returns what became of what was not synced. */
  writeImage(to: string, random: SeededRandom): Survival {
    const survival = random.pick(SURVIVALS);
    const names = new Map(this.#durable);
    for (const [folder, changes] of this.#names) {
      const kept = survivingNames(survival, changes.length, random.fork(folder));
      for (const { path, node } of changes.slice(0, kept)) setOrDelete(names, path, node);
    }
    // In the order of their names a folder comes before what is in it; what is in one that was lost is lost with it.
    const lost = new Set<string>();
    for (const [path, node] of [...names].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const parent = dirname(path);
      if (lost.has(parent) || (parent !== this.#folder && names.get(parent) !== 'folder')) lost.add(path);
      else {
        const target = join(to, relative(this.#folder, path));
        if (node === 'folder') mkdirSync(target, { mode: 0o700 });
        else writeFileSync(target, surviving(node, survival, random.fork(path)), { mode: 0o600 });
      }
    }
    return survival;
  }

  #sync(path: string, began: number): void {
    const node = path === this.#folder ? 'folder' : this.#live.get(path);
    if (node === 'folder') {
      const changes = this.#names.get(path) ?? [];
      for (const change of changes)
        if (change.at < began) setOrDelete(this.#durable, change.path, change.node);
      this.#names.set(
        path,
        changes.filter(({ at }) => at >= began),
      );
    } else node?.sync(began);
  }

  #rename(at: number, path: string, node: Node | undefined): void {
    setOrDelete(this.#live, path, node);
    const folder = dirname(path);
    this.#names.set(folder, [...(this.#names.get(folder) ?? []), { at, path, node }]);
  }

  #fileAt(path: string): SimulatedFile {
    const node = this.#live.get(path);
    if (node === undefined || node === 'folder') throw new Error(`${path} is written, and is no file`);
    return node;
  }
}

function setOrDelete(names: Map<string, Node>, path: string, node: Node | undefined): void {
  if (node === undefined) names.delete(path);
  else names.set(path, node);
}

/** A folder's changes reach the disk in their order. */
function survivingNames(survival: Survival, count: number, random: SeededRandom): number {
  if (survival === 'nothing') return 0;
  return survival === 'everything' ? count : random.between(0, count);
}

/** Each block is found as it was after some of the changes to it, from none to all. */
function surviving(file: SimulatedFile, survival: Survival, random: SeededRandom): Buffer {
  const changes = file.pending;
  const blockBytes = survival === 'sectors' || survival === 'in order' ? SECTOR_BYTES : PAGE_BYTES;
  const ends = changes.map(({ offset, data }) => offset + (data?.length ?? 0));
  const content = Buffer.alloc(Math.max(file.durableBytes, 0, ...ends));
  file.durable.copy(content, 0, 0, file.durableBytes);
  let bytes = file.durableBytes;
  const survives = createSurvival(changes, { survival, blockBytes, random });
  for (const [index, { offset, data }] of changes.entries()) {
    if (data === undefined) {
      if (!survives(index, Math.floor(offset / blockBytes))) continue;
      content.fill(0, Math.min(offset, bytes), bytes);
      bytes = offset;
      continue;
    }
    for (let from = offset; from < offset + data.length;) {
      const block = Math.floor(from / blockBytes);
      const end = Math.min((block + 1) * blockBytes, offset + data.length);
      if (survives(index, block)) {
        data.copy(content, from, from - offset, end - offset);
        bytes = Math.max(bytes, end);
      }
      from = end;
    }
  }
  // The length of a file may reach the disk before its bytes do, which are then zero.
  const isLong = survival !== 'nothing' && random.chance(0.3);
  return content.subarray(0, isLong ? content.length : bytes);
}

function createSurvival(
  changes: readonly Change[],
  of: { readonly survival: Survival; readonly blockBytes: number; readonly random: SeededRandom },
): (index: number, block: number) => boolean {
  const { survival, blockBytes, random } = of;
  if (survival === 'nothing') return () => false;
  if (survival === 'everything') return () => true;
  if (survival === 'in order') {
    const kept = random.between(0, changes.length);
    const torn = random.between(0, 16);
    // Of the last one that began to be written, some sectors.
    return (index, block) =>
      index < kept ||
      (index === kept && block - Math.floor((changes[index]?.offset ?? 0) / blockBytes) < torn);
  }
  const share = random.fraction();
  const cuts = new Map<number, number>();
  return (index, block) => {
    let cut = cuts.get(block);
    if (cut === undefined) {
      cut = random.chance(share) ? changes.length : random.between(0, changes.length - 1);
      cuts.set(block, cut);
    }
    return index < cut;
  };
}
