/**
 * Torture: reads what strace recorded of a process: every change that it asked of a folder, with its bytes, every sync, and
 * every call that it sent to the provider, in the order in which they happened.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** A change counts from when it was asked for, a sync from when it was done, a departure from when it was asked for. */
export type TraceEvent =
  | { readonly kind: 'write'; readonly path: string; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'create' | 'mkdir' | 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  /** All that was asked of it before the event of that index is on the disk. */
  | { readonly kind: 'sync'; readonly path: string; readonly began: number }
  | { readonly kind: 'departure'; readonly number: number };

/** Changes that SQLite and Node.js make to files, and how bytes leave; whatever else could change a file is refused. */
const KNOWN = ['openat', 'open', 'creat', 'close', 'write', 'pwrite64', 'writev', 'fsync', 'fdatasync'];
const KNOWN_TOO = ['ftruncate', 'rename', 'unlink', 'mkdir', 'sendto', 'sendmsg'];
const UNKNOWN = ['pwritev', 'pwritev2', 'truncate', 'renameat', 'renameat2', 'unlinkat', 'mkdirat', 'link'];
const UNKNOWN_TOO = [
  'linkat',
  'symlink',
  'fallocate',
  'copy_file_range',
  'sendfile',
  'sync_file_range',
  'mmap',
];

/** Longer than anything that is written at once. */
const BYTES_MAX = 4_194_304;

/** Runs a command so that its calls of the system are recorded, and leaves its process id to it. */
export function tracerOf(strace: string, file: string): readonly string[] {
  const calls = [...KNOWN, ...KNOWN_TOO, ...UNKNOWN, ...UNKNOWN_TOO].join(',');
  // `-D`: the tracer is no parent, so signals reach what is traced. `-xx`: every byte as it is. `-y`: names of files.
  const how = ['-D', '-f', '-q', '--seccomp-bpf', '-xx', '-y', '-s', String(BYTES_MAX)];
  return [strace, ...how, '-e', 'signal=none', '-e', `trace=${calls}`, '-o', file];
}

/** The events that concern `folder`, but for SQLite's shared memory, which no start reads. */
export async function readTrace(file: string, folder: string): Promise<TraceEvent[]> {
  const reader = new TraceReader(folder);
  const lines = createInterface({ input: createReadStream(file, 'latin1'), crlfDelay: Infinity });
  for await (const line of lines) reader.read(line);
  return reader.events;
}

const UNFINISHED = ' <unfinished ...>';
const RESUMED = /^<\.\.\. (\w+) resumed>/;
const CALL = /^(\w+)\(/;

interface Begun {
  readonly text: string;
  readonly at: number;
}

class TraceReader {
  readonly events: TraceEvent[] = [];
  readonly #folder: string;
  readonly #begun = new Map<string, Begun>();
  /** Where the next write goes, of files that are written from their beginning. */
  readonly #positions = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  read(line: string): void {
    const space = line.indexOf(' ');
    const thread = line.slice(0, space);
    const text = line.slice(space).trimStart();
    if (text.startsWith('+++') || text.startsWith('---')) return;
    const resumed = RESUMED.exec(text);
    if (resumed !== null) {
      const begun = this.#begun.get(thread);
      this.#begun.delete(thread);
      if (begun !== undefined) this.#finish(begun.text + text.slice(resumed[0].length), begun.at);
    } else if (text.endsWith(UNFINISHED)) {
      const begun = text.slice(0, -UNFINISHED.length);
      this.#begun.set(thread, { text: begun, at: this.events.length });
      this.#ask(begun);
    } else {
      const at = this.events.length;
      this.#ask(text);
      this.#finish(text, at);
    }
  }

  /** What may take effect from here on. */
  #ask(text: string): void {
    const name = CALL.exec(text)?.[1] ?? '';
    if (name === 'write' || name === 'writev' || name === 'sendto' || name === 'sendmsg')
      this.#noteDepartures(text);
    const path = this.#pathOf(text);
    if (path === undefined) return;
    if (UNKNOWN.includes(name) || UNKNOWN_TOO.includes(name))
      throw new Error(`the process called ${name} on ${path}, which the simulation does not know`);
    switch (name) {
      case 'write':
      case 'pwrite64': {
        const data = bytesOf(text);
        const offset = name === 'write' ? (this.#positions.get(path) ?? 0) : Number(lastArgument(text));
        if (name === 'write') this.#positions.set(path, offset + data.length);
        this.events.push({ kind: 'write', path, offset, data });
        break;
      }
      case 'writev':
        throw new Error(`the process called writev on ${path}, which the simulation does not know`);
      case 'ftruncate':
        this.events.push({ kind: 'truncate', path, size: Number(lastArgument(text)) });
        break;
      case 'unlink':
        this.events.push({ kind: 'unlink', path });
        break;
      case 'rename':
        this.events.push({ kind: 'rename', path, to: namedPaths(text)[1] ?? '' });
        break;
      default:
    }
  }

  /** What is known once it is done. */
  #finish(text: string, began: number): void {
    const name = CALL.exec(text)?.[1] ?? '';
    const path = this.#pathOf(text);
    const result = /\) += (-?\d+)[^)]*$/.exec(text)?.[1];
    if (path === undefined || result === undefined) return;
    const hasFailed = result.startsWith('-');
    if (name === 'openat' || name === 'open' || name === 'creat') {
      if (!hasFailed) this.#open(text, path);
    } else if (name === 'mkdir') {
      if (!hasFailed) this.events.push({ kind: 'mkdir', path });
    } else if (name === 'fsync' || name === 'fdatasync') {
      if (!hasFailed) this.events.push({ kind: 'sync', path, began });
    } else if (hasFailed && name !== 'close' && !text.includes('ENOENT')) {
      throw new Error(`${name} on ${path} failed while it was recorded: ${text.slice(-80)}`);
    }
  }

  #open(text: string, path: string): void {
    this.#positions.set(path, 0);
    if (text.includes('O_CREAT')) this.events.push({ kind: 'create', path });
    if (text.includes('O_TRUNC')) this.events.push({ kind: 'truncate', path, size: 0 });
  }

  /** The file in the folder that a call is about: by its descriptor, or by its name. */
  #pathOf(text: string): string | undefined {
    const byDescriptor = /^\w+\(\d+<((?:\\x[0-9a-f]{2})+)>/.exec(text)?.[1];
    const path = byDescriptor === undefined ? namedPaths(text)[0] : decode(byDescriptor).toString();
    const isWithin = path === this.#folder || path?.startsWith(`${this.#folder}/`) === true;
    return isWithin && !path?.endsWith('-shm') ? path : undefined;
  }

  #noteDepartures(text: string): void {
    for (let at = text.indexOf(MARK); at !== -1; at = text.indexOf(MARK, at + 1)) {
      const digits = /^(?:\\x3[0-9])+/.exec(text.slice(at + MARK.length, at + MARK.length + 64))?.[0] ?? '';
      this.events.push({ kind: 'departure', number: Number(decode(digits).toString()) });
    }
  }
}

/** How the beginning of what `userOf` says of a call looks in a trace. */
const MARK = [...Buffer.from('torture-call-')].map((byte) => `\\x${byte.toString(16)}`).join('');

/** The arguments that are names of files come as text; of `openat` the first is a descriptor. */
function namedPaths(text: string): string[] {
  if (
    !/^(?:open|openat|creat|unlink|rename|mkdir|truncate|link|symlink|renameat|unlinkat|mkdirat)\w*\(/.test(
      text,
    )
  )
    return [];
  return [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex]) => decode(hex ?? '').toString());
}

function bytesOf(text: string): Buffer {
  const from = text.indexOf('"') + 1;
  return decode(text.slice(from, text.indexOf('"', from)));
}

/** Of `pwrite64(3, "…", 24, 32)` the offset, of `ftruncate(3, 0)` the size. */
function lastArgument(text: string): string {
  const end = text.lastIndexOf(')');
  const within = end === -1 ? text : text.slice(0, end);
  return within.slice(within.lastIndexOf(',') + 1).trim();
}

function decode(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll('\\x', ''), 'hex');
}
