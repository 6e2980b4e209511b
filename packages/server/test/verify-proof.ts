/**
 * Test support: a verifier of Keyfold's audit proofs that shares no code with it. What it does is the algorithm in
 * docs/audit-checkpoints.md, step by step.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';

const sha256 = (...parts: readonly (Buffer | string)[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const leafOf = (record: string) => sha256(Buffer.of(0), record);
const fold = (head: Buffer, leaf: Buffer) => sha256(Buffer.of(2), head, leaf);

export interface SignedHead {
  readonly origin: string;
  readonly size: number;
  readonly head: Buffer;
}

/** Throws where the note is not signed by the key. */
export function openNote(note: string, vkey: string): SignedHead {
  const border = note.indexOf('\n\n');
  const text = note.slice(0, border + 1);
  const [dash, name, encoded = ''] = note.slice(border + 2, -1).split(' ');
  // Base64 may hold a plus, too.
  const [, keyName = '', keyId = '', keyBytes = ''] = /^([^+]+)\+([^+]+)\+(.+)$/.exec(vkey) ?? [];
  const key = Buffer.from(keyBytes, 'base64');
  const id = sha256(`${keyName}\n`, key).subarray(0, 4);
  const signature = Buffer.from(encoded, 'base64');
  const publicKey = createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: key.subarray(1).toString('base64url') },
  });
  const isSigned =
    dash === '—' &&
    name === keyName &&
    key[0] === 1 &&
    id.toString('hex') === keyId &&
    signature.subarray(0, 4).equals(id) &&
    signature.toString('base64') === encoded &&
    note.endsWith('\n') &&
    verify(null, Buffer.from(text), publicKey, signature.subarray(4));
  if (!isSigned) throw new Error('the note is not signed by this key');
  const [origin = '', size, head = ''] = text.split('\n');
  return { origin, size: Number(size), head: Buffer.from(head, 'base64') };
}

export interface InclusionProof {
  readonly event: string;
  readonly record: string;
  readonly head_before: string;
  readonly leaves: readonly string[];
  readonly note: string;
}

/** True when the record is the one of its number under the note. */
export function provesInclusion(proof: InclusionProof, vkey: string): boolean {
  const signed = openNote(proof.note, vkey);
  const [node, sequence] = proof.event.split('-').map(Number);
  let head = fold(Buffer.from(proof.head_before, 'base64'), leafOf(proof.record));
  for (const leaf of proof.leaves) head = fold(head, Buffer.from(leaf, 'base64'));
  const value = JSON.parse(proof.record) as Readonly<Record<string, unknown>> | readonly unknown[];
  const [ownSequence, ownNode] = Array.isArray(value)
    ? (value as readonly unknown[])
    : [Reflect.get(value, 'sequence'), Reflect.get(value, 'node')];
  return (
    head.equals(signed.head) &&
    signed.size === (sequence ?? 0) + proof.leaves.length &&
    signed.origin.endsWith(`/node/${node}`) &&
    ownSequence === sequence &&
    ownNode === node
  );
}

/** True when the later note follows from the earlier one by these leaves. */
export function provesConsistency(
  of: { readonly from: string; readonly to: string; readonly leaves: readonly string[] },
  vkey: string,
): boolean {
  const [from, to] = [openNote(of.from, vkey), openNote(of.to, vkey)];
  let head = from.head;
  for (const leaf of of.leaves) head = fold(head, Buffer.from(leaf, 'base64'));
  return head.equals(to.head) && from.origin === to.origin && from.size + of.leaves.length === to.size;
}
