/**
 * The key that signs checkpoints of the audit log: Ed25519 (RFC 8032), its seed derived from the root key, so that it is in
 * no database and in no file of its own. Signs and reads signed notes (C2SP signed-note).
 */
import { type KeyObject, createPrivateKey, createPublicKey, hash, sign, verify } from 'node:crypto';
import {
  type Checkpoint,
  type VerifierKey,
  checkpointOrigin,
  noteKeyIdInput,
  parseCheckpoint,
  parseNote,
  renderCheckpoint,
  renderNote,
  renderVerifierKey,
  signaturesBy,
} from '@keyfold/protocol';
import type { RootKey } from './root-key.ts';

/** What comes before the seed in the PKCS#8 form of an Ed25519 key (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_ID_BYTES = 4;

export class CheckpointKey {
  /** As verifiers are given it: name, id and public key. */
  readonly vkey: string;
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #verifier: VerifierKey;

  constructor(rootKey: RootKey) {
    const seed = rootKey.derive('checkpoint').export();
    const key = Buffer.concat([PKCS8_PREFIX, seed]);
    this.#private = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    this.#public = createPublicKey(this.#private);
    const name = `keyfold-${rootKey.id}`;
    const publicKey = Uint8Array.from(
      Buffer.from(String(this.#public.export({ format: 'jwk' }).x), 'base64url'),
    );
    const keyId = hash('sha256', noteKeyIdInput(name, publicKey), 'buffer').subarray(0, KEY_ID_BYTES);
    this.#verifier = { name, keyId, publicKey };
    this.vkey = renderVerifierKey(this.#verifier);
  }

  originOf(node: number): string {
    return checkpointOrigin(this.#verifier.name, node);
  }

  /** The signed note of a checkpoint. */
  sign(of: Omit<Checkpoint, 'origin'>): string {
    const text = renderCheckpoint({ ...of, origin: this.originOf(of.node) });
    const signature = sign(null, Buffer.from(text, 'utf8'), this.#private);
    const { name, keyId } = this.#verifier;
    return renderNote({ text, signatures: [{ name, keyId, signature }] });
  }

  /** The checkpoint that this key has signed; `undefined` for any other text. */
  open(text: string): Checkpoint | undefined {
    const note = parseNote(text);
    const checkpoint = note === undefined ? undefined : parseCheckpoint(note.text);
    if (note === undefined || checkpoint === undefined) return undefined;
    const signed = Buffer.from(note.text, 'utf8');
    const isSigned = signaturesBy(note, this.#verifier).some((signature) =>
      verify(null, signed, this.#public, signature),
    );
    return isSigned && checkpoint.origin === this.originOf(checkpoint.node) ? checkpoint : undefined;
  }
}
