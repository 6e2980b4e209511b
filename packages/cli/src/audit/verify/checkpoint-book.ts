/** The checkpoints that a verification goes by: reads signed notes, checks their signatures, and keeps the head of each size. */
import { type KeyObject, createPublicKey, hash, verify } from 'node:crypto';
import {
  type Checkpoint,
  type SignedNote,
  type VerifierKey,
  checkpointOrigin,
  noteKeyIdInput,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signaturesBy,
} from '@keyfold/protocol';
import type { SignedHeads } from './node-chain.ts';

export type NoteReason =
  | 'bad_signature'
  | 'two_histories'
  | 'unknown_key'
  | 'not_a_note'
  | 'torn'
  | 'not_a_checkpoint';

export interface NoteProblem {
  /** The file and the note's number in it. */
  readonly where: string;
  readonly reason: NoteReason;
  readonly node?: number | undefined;
  readonly size?: number | undefined;
}

/** The public key of an audit log. */
export interface LogKey extends VerifierKey {
  readonly publicKeyObject: KeyObject;
}

/** Problems that are told one by one; the rest are counted. */
const PROBLEMS_MAX = 20;
/** Somebody has changed something; the other reasons leave open what a note says. */
const TAMPERING: readonly NoteReason[] = ['bad_signature', 'two_histories'];
const NONE: SignedHeads = new Map();

/** `undefined` for what is no Ed25519 verifier key, or has another key's id. */
export function readVerifierKey(text: string): LogKey | undefined {
  const key = parseVerifierKey(text.trim());
  if (key === undefined) return undefined;
  const id = hash('sha256', noteKeyIdInput(key.name, key.publicKey), 'buffer');
  if (!key.keyId.every((byte, place) => byte === id[place])) return undefined;
  const x = Buffer.from(key.publicKey).toString('base64url');
  const publicKeyObject = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  return { ...key, publicKeyObject };
}

export class CheckpointBook {
  /** Notes that were read. */
  notes = 0;
  readonly problems: NoteProblem[] = [];
  isTampered = false;
  isIncomplete = false;
  readonly #keys: readonly LogKey[];
  readonly #heads = new Map<number, Map<number, string>>();

  /** Without a key no signature can be checked: every checkpoint is taken as it is, and the book is incomplete. */
  constructor(keys: readonly LogKey[]) {
    this.#keys = keys;
  }

  get nodes(): readonly number[] {
    return [...this.#heads.keys()];
  }

  headsOf(node: number): SignedHeads {
    return this.#heads.get(node) ?? NONE;
  }

  /** What was cut off where whole notes follow: the server died while it wrote, and says nothing by it. */
  addTorn(where: string): void {
    this.#report({ where, reason: 'torn' });
  }

  /** A signed note's whole text. */
  add(text: string, where: string): void {
    this.notes++;
    const note = parseNote(text);
    if (note === undefined) return this.#report({ where, reason: 'not_a_note' });
    const checkpoint = parseCheckpoint(note.text);
    const place = { where, node: checkpoint?.node, size: checkpoint?.size };
    const judged = this.#judge(note, checkpoint);
    if (judged !== undefined) return this.#report({ ...place, reason: judged });
    if (checkpoint === undefined) return this.#report({ ...place, reason: 'not_a_checkpoint' });
    const heads = this.#heads.get(checkpoint.node) ?? new Map<number, string>();
    this.#heads.set(checkpoint.node, heads);
    const head = Buffer.from(checkpoint.head).toString('base64url');
    const known = heads.get(checkpoint.size);
    if (known !== undefined && known !== head) return this.#report({ ...place, reason: 'two_histories' });
    heads.set(checkpoint.size, head);
  }

  /** `undefined` where one of the keys has signed it for the log that it names. */
  #judge(note: SignedNote, checkpoint: Checkpoint | undefined): NoteReason | undefined {
    if (this.#keys.length === 0) {
      this.isIncomplete = true;
      return undefined;
    }
    const text = Buffer.from(note.text, 'utf8');
    for (const key of this.#keys) {
      const isSigned = signaturesBy(note, key).some((each) => verify(null, text, key.publicKeyObject, each));
      if (!isSigned) continue;
      const isOwn =
        checkpoint === undefined || checkpoint.origin === checkpointOrigin(key.name, checkpoint.node);
      return isOwn ? undefined : 'not_a_checkpoint';
    }
    const isClaimed = this.#keys.some(
      ({ name }) =>
        note.signatures.some((each) => each.name === name) || note.text.startsWith(`${name}/node/`),
    );
    return isClaimed ? 'bad_signature' : 'unknown_key';
  }

  #report(problem: NoteProblem): void {
    if (TAMPERING.includes(problem.reason)) this.isTampered = true;
    else if (problem.reason !== 'torn') this.isIncomplete = true;
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }
}
