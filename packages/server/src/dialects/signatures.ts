/**
 * Carries a vendor's signature through clients that know nothing of it. Where a client's dialect has no field for one, it
 * rides in the id of the tool call that it signs, which every client gives back unchanged; where the client's dialect has
 * a field for its own vendor's signatures, another vendor's is marked as such.
 */
import type { Signature, Signer } from './chat.ts';

const SIGNERS: readonly Signer[] = ['openai', 'anthropic', 'gemini'];
const ID_MARK = '__kf_';
const VALUE_MARK = 'kf.';

/** The id with the signature in it; the id alone where there is none. */
export function joinSignature(id: string, signature: Signature | undefined): string {
  if (signature === undefined) return id;
  return `${id}${ID_MARK}${signature.by}_${Buffer.from(signature.value).toString('base64url')}`;
}

/** Takes apart what `joinSignature` made; any other id is itself. */
export function splitSignature(joined: string): { readonly id: string; readonly signature?: Signature } {
  const mark = joined.lastIndexOf(ID_MARK);
  if (mark === -1) return { id: joined };
  const rest = joined.slice(mark + ID_MARK.length);
  const by = SIGNERS.find((signer) => rest.startsWith(`${signer}_`));
  if (by === undefined) return { id: joined };
  const value = Buffer.from(rest.slice(by.length + 1), 'base64url').toString();
  return { id: joined.slice(0, mark), signature: { by, value } };
}

/** A signature for a field that `own` vendor's clients give back: its own as it is, another's marked. */
export function writeSignature({ by, value }: Signature, own: Signer): string {
  return by === own ? value : `${VALUE_MARK}${by}.${value}`;
}

/** What stands in such a field. */
export function readSignature(written: string, own: Signer): Signature {
  const by = SIGNERS.find((signer) => written.startsWith(`${VALUE_MARK}${signer}.`));
  if (by === undefined) return { by: own, value: written };
  return { by, value: written.slice(VALUE_MARK.length + by.length + 1) };
}
