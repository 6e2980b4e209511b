/**
 * The root key: 32 bytes outside the database, from which HKDF-SHA256 (RFC 5869) derives one key a purpose.
 * No derived key serves two purposes, and the root key itself encrypts and authenticates nothing.
 */
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createDurableFile, makeDurableFolder } from '../kernel/durable-files.ts';
import type { RandomSource } from '../kernel/random.ts';

export const ROOT_KEY_BYTES = 32;

/** What a derived key is for. */
export type Purpose = 'kek' | 'pepper' | 'audit-mac' | 'row-mac' | 'cursor' | 'checkpoint';

const SALT = Buffer.from('keyfold/root-key/v1', 'utf8');
const HEX = /^[0-9a-f]{64}$/;
const OTHERS_MAY = 0o077;

export class RootKey {
  /** Names this root key without revealing it: tells at start whether it is the one the database was made with. */
  readonly id: string;
  readonly #material: Buffer;

  constructor(material: Buffer) {
    if (material.length !== ROOT_KEY_BYTES) throw new RangeError(`a root key has ${ROOT_KEY_BYTES} bytes`);
    this.#material = material;
    this.id = this.#expand('id', 8).toString('hex');
  }

  derive(purpose: Purpose): KeyObject {
    return createSecretKey(this.#expand(purpose, 32));
  }

  #expand(info: string, length: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#material, SALT, `keyfold/${info}/v1`, length));
  }
}

/** Reads a root key file: 64 hexadecimal characters, readable by its owner alone. Throws with what to do. */
export function readRootKey(file: string): RootKey {
  const text = readSecretFile(file);
  if (!HEX.test(text)) throw new Error(`${file} is not a root key: it must hold 64 hexadecimal characters`);
  return new RootKey(Buffer.from(text, 'hex'));
}

/** The text of a file that its owner alone may read. Throws with what to do. */
export function readSecretFile(file: string): string {
  const mode = statSync(file).mode & 0o777;
  if ((mode & OTHERS_MAY) !== 0) {
    throw new Error(`${file} may be read by others (mode ${mode.toString(8)}): run chmod 600 ${file}`);
  }
  return readFileSync(file, 'utf8').trim();
}

/** Reads the root key, or makes one where there is none yet: it is on the disk before anything hangs on it. */
export function openRootKey(file: string, random: RandomSource): RootKey {
  if (!existsSync(file)) {
    makeDurableFolder(dirname(file));
    createDurableFile(file, `${random.bytes(ROOT_KEY_BYTES).toString('hex')}\n`);
  }
  return readRootKey(file);
}
