/** What a key is told of signing, when it is made and when it is changed. */
import type { KeyKind } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import type { Key, SigningPolicy } from '../../keys/key.ts';
import { type CountedSigningSecret, readPublicKey } from '../../signing/signing-secret.ts';
import type { SigningSecrets } from '../../signing/signing-secrets.ts';
import type { SqlStep } from '../../storage/statement.ts';
import type { SigningInput } from './key-input.ts';

export interface ReadSigning {
  readonly policy: SigningPolicy;
  /** Present where the key signs with Ed25519. */
  readonly publicKey: Buffer | undefined;
}

/** `undefined` when signing is not asked for. */
export function readSigning(
  input: SigningInput | undefined,
  kind: KeyKind,
): ReadSigning | undefined | Denial {
  if (input === undefined) return undefined;
  const { required = true, algorithm = 'hmac-sha256' } = input;
  const isEd25519 = algorithm === 'ed25519';
  const versions = input.versions ?? [isEd25519 ? ('rfc9421' as const) : ('2' as const)];
  if (new Set(versions).size < versions.length) return refuse('versions', 'names a version twice');
  if (kind === 'admin' && versions.includes('1')) {
    return refuse('versions', 'admin keys cannot use version 1, which binds neither method nor path');
  }
  if (isEd25519 && versions.some((version) => version !== 'rfc9421')) {
    return refuse('versions', 'ed25519 goes with rfc9421 alone');
  }
  const publicKey = readKey(input.public_key, { isEd25519, param: 'signing.public_key' });
  if (publicKey instanceof Denial) return publicKey;
  return { policy: { required, versions, algorithm }, publicKey };
}

/** The 32 bytes of the public key where one is needed; `param` is the field that holds it. */
export function readKey(
  text: string | undefined,
  of: { readonly isEd25519: boolean; readonly param: string },
): Buffer | undefined | Denial {
  const refuseKey = (problem: string) =>
    new Denial('invalid_request', { message: `'${of.param}': ${problem}.`, param: of.param });
  if (!of.isEd25519) return text === undefined ? undefined : refuseKey('goes with the algorithm ed25519');
  const bytes = text === undefined ? undefined : readPublicKey(text);
  return bytes ?? refuseKey('must be the 32 bytes of an Ed25519 public key in base64');
}

/** What a change of the signing policy does to the secrets. */
export interface SigningPlan {
  readonly policy: SigningPolicy | undefined;
  readonly steps: readonly SqlStep[];
  readonly secrets: readonly CountedSigningSecret[];
  /** Shown once, where a key begins to sign. */
  readonly secret: string | undefined;
}

/** `undefined` leaves signing as it is, `null` ends it. */
export async function planSigning(
  rooms: { readonly signingSecrets: SigningSecrets },
  key: Key,
  input: SigningInput | null | undefined,
): Promise<SigningPlan | Denial> {
  const secrets = await rooms.signingSecrets.list([key.id]);
  if (input === undefined) return { policy: key.signing, steps: [], secrets, secret: undefined };
  if (input === null) {
    const steps = await rooms.signingSecrets.endAll(key.id);
    return { policy: undefined, steps, secrets: [], secret: undefined };
  }
  if (key.signing !== undefined) return changePolicy(key.signing, { input, kind: key.kind, secrets });
  const read = readSigning(input, key.kind);
  if (read === undefined || read instanceof Denial) return read ?? refuse('signing', 'is missing');
  const version = (secrets[0]?.version ?? 0) + 1;
  const issued = rooms.signingSecrets.issue(key, { publicKey: read.publicKey, version });
  const fresh = { ...issued.signingSecret, uses: 0, lastUsedAtMs: undefined };
  return { policy: read.policy, steps: issued.steps, secrets: [fresh, ...secrets], secret: issued.secret };
}

/** The secret stays: it is rotated by its own endpoint, and another algorithm is another beginning. */
function changePolicy(
  before: SigningPolicy,
  of: {
    readonly input: SigningInput;
    readonly kind: KeyKind;
    readonly secrets: readonly CountedSigningSecret[];
  },
): SigningPlan | Denial {
  const { input, kind, secrets } = of;
  if (input.algorithm !== undefined && input.algorithm !== before.algorithm) {
    return refuse('algorithm', 'is fixed while the key signs; set signing to null first');
  }
  if (input.public_key !== undefined)
    return refuse('public_key', 'is changed by rotating the signing secret');
  const versions = input.versions ?? before.versions;
  const read = readSigning({ ...input, versions: [...versions], algorithm: 'hmac-sha256' }, kind);
  if (read instanceof Denial) return read;
  if (before.algorithm === 'ed25519' && versions.some((version) => version !== 'rfc9421')) {
    return refuse('versions', 'ed25519 goes with rfc9421 alone');
  }
  const policy = { ...before, required: input.required ?? before.required, versions };
  return { policy, steps: [], secrets, secret: undefined };
}

function refuse(field: string, problem: string): Denial {
  const param = field === 'signing' ? field : `signing.${field}`;
  return new Denial('invalid_request', { message: `'${param}': ${problem}.`, param });
}
