/**
 * Envelope encryption of secrets that must be recoverable (security.md 3): a fresh data key a secret, AES-256-GCM with a
 * random 96-bit IV and a 128-bit tag; the key-encryption key wraps the data key in the same way. The context is
 * authenticated, so that a sealed value moved to another row, or whose row was edited, does not open.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { Fault } from '../kernel/fault.ts';
import type { RandomSource } from '../kernel/random.ts';
import type { RootKey } from './root-key.ts';

/** What a sealed value is bound to, in a fixed order. Opening with any part changed fails. */
export type SealContext = readonly string[];

/** A secret whose data key is unwrapped. Each `open` decrypts anew; the caller clears what it gets. */
export interface UnwrappedSecret {
  open(): Buffer;
}

const FORMAT = 'keyfold/sealed/v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const DATA_KEY_BYTES = 32;

export class Sealer {
  readonly #kek: KeyObject;
  readonly #kekId: string;
  readonly #random: RandomSource;

  constructor(rootKey: RootKey, random: RandomSource) {
    this.#kek = rootKey.derive('kek');
    this.#kekId = rootKey.id;
    this.#random = random;
  }

  /** Returns `<KEK id>.<wrapped data key>.<ciphertext>`, the latter two as base64url of IV ‖ ciphertext ‖ tag. */
  seal(plaintext: Buffer, context: SealContext): string {
    const aad = this.#associatedData(context);
    const dataKey = this.#random.bytes(DATA_KEY_BYTES);
    const wrapped = this.#encrypt(this.#kek, dataKey, aad);
    const sealed = this.#encrypt(dataKey, plaintext, aad);
    dataKey.fill(0);
    return `${this.#kekId}.${wrapped.toString('base64url')}.${sealed.toString('base64url')}`;
  }

  /** The plaintext; the caller clears it. Throws `Fault('unavailable')` when key or context differ, or a byte was changed. */
  open(sealed: string, context: SealContext): Buffer {
    return this.unwrap(sealed, context).open();
  }

  /** Unwraps the data key alone, for a secret that is opened for every call. The data key stays outside the heap. */
  unwrap(sealed: string, context: SealContext): UnwrappedSecret {
    const [kekId, wrapped, ciphertext] = sealed.split('.');
    if (kekId !== this.#kekId || wrapped === undefined || ciphertext === undefined) {
      throw new Fault('unavailable', {
        internal: 'a sealed value was made with another root key, or is malformed',
      });
    }
    const aad = this.#associatedData(context);
    const dataKey = decrypt(this.#kek, Buffer.from(wrapped, 'base64url'), aad);
    const secret = { key: createSecretKey(dataKey), ciphertext: Buffer.from(ciphertext, 'base64url'), aad };
    dataKey.fill(0);
    return { open: () => decrypt(secret.key, secret.ciphertext, secret.aad) };
  }

  #encrypt(key: KeyObject | Buffer, plaintext: Buffer, aad: Buffer): Buffer {
    const iv = this.#random.bytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(aad);
    return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  /** Every part with its length before it, so that no two contexts have the same bytes. */
  #associatedData(context: SealContext): Buffer {
    return Buffer.concat(
      [FORMAT, this.#kekId, ...context].flatMap((part) => {
        const bytes = Buffer.from(part, 'utf8');
        const length = Buffer.alloc(4);
        length.writeUInt32BE(bytes.length);
        return [length, bytes];
      }),
    );
  }
}

function decrypt(key: KeyObject, sealed: Buffer, aad: Buffer): Buffer {
  try {
    const iv = sealed.subarray(0, IV_BYTES);
    const tag = sealed.subarray(sealed.length - TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(aad);
    decipher.setAuthTag(tag);
    return Buffer.concat([
      decipher.update(sealed.subarray(IV_BYTES, sealed.length - TAG_BYTES)),
      decipher.final(),
    ]);
  } catch (error) {
    throw new Fault('unavailable', {
      internal: 'a sealed value does not open: its row was changed, moved or damaged',
      cause: error,
    });
  }
}
