/**
 * The one door: whoever acts has come through here. A bearer key is judged by the head alone; what is signed is verified
 * once its body is there, and may then be used once (security.md 4).
 */
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import type { Authenticator } from '../keys/authenticate.ts';
import { type Principal, mustSign, subjectOf } from '../keys/key.ts';
import type { VersionUses } from '../keys/version-uses.ts';
import type { NonceClaim, NonceStore } from './nonce-store.ts';
import type { PresentedRequest } from './presented.ts';
import { type Signature, readSignature, refuseSignature, replayed } from './read-signature.ts';
import type { SigningSecrets } from './signing-secrets.ts';
import { verifySignature } from './verify-signature.ts';

/** Who asks to come in. While there is a signature, nothing is proved yet. */
export interface Visitor {
  readonly principal: Principal;
  readonly request: PresentedRequest;
  readonly signature: Signature | undefined;
}

/** A visitor who is who they say. */
export interface Proved extends Visitor {
  /** The signing secret, or public key, under which the signature holds. */
  readonly heldBy: string | undefined;
  /** What the request must use up: in the unit of work that it causes, or by `use`. Empty where nothing is signed. */
  readonly claim: NonceClaim;
}

export interface DoorRules {
  /** Version 1 binds neither method nor path: only where that can do no harm. */
  readonly acceptsVersion1: boolean;
}

export class Door {
  readonly #authenticator: Authenticator;
  readonly #secrets: SigningSecrets;
  readonly #nonces: NonceStore;
  readonly #uses: VersionUses;
  readonly #clock: Clock & { readonly isUnsteady?: boolean };

  constructor(parts: {
    authenticator: Authenticator;
    signingSecrets: SigningSecrets;
    nonces: NonceStore;
    uses: VersionUses;
    clock: Clock & { readonly isUnsteady?: boolean };
  }) {
    this.#authenticator = parts.authenticator;
    this.#secrets = parts.signingSecrets;
    this.#nonces = parts.nonces;
    this.#uses = parts.uses;
    this.#clock = parts.clock;
  }

  /** Judges all that can be judged before the body is read: the key, its signing policy, the time. */
  async open(request: PresentedRequest, rules: DoorRules): Promise<Visitor | Denial> {
    const signature = readSignature(request);
    if (signature instanceof Denial) return signature;
    const lateS = signature === undefined ? undefined : this.#judgeTime(signature);
    const principal = await this.#find(request, signature);
    // Whatever key is named, or none that there is: who is out of time is told the time, and nothing else.
    if (lateS !== undefined) return outOfTime(lateS, principal);
    if (principal instanceof Denial) return principal;
    const refused = this.#checkPolicy(principal, signature, rules);
    return refused ?? { principal, request, signature };
  }

  /** Verifies a signature over the body as it arrived. */
  async verify(visitor: Visitor, body: Buffer): Promise<Proved | Denial> {
    const { principal, request, signature } = visitor;
    // A body may take a minute to arrive, and the key may have ended since.
    const ended = this.#authenticator.checkLife(principal);
    if (ended instanceof Denial) return signature === undefined ? ended : hideReason(ended);
    if (signature === undefined) {
      this.#uses.count(principal.version.id);
      return { ...visitor, heldBy: undefined, claim: [] };
    }
    const verifiers = await this.#secrets.verifiersOf(principal.key);
    const held = verifySignature({ request, signature, body }, verifiers);
    if (typeof held === 'string') return refuseSignature(held, subjectOf(principal.key));
    this.#uses.count(principal.version.id);
    this.#uses.count(held.id);
    // Version 1 can be cut into its parts in more than one way, so what was signed is remembered by its MAC, too.
    const values =
      signature.version === '1'
        ? [signature.nonce, ...signature.macs.map((mac) => `mac:${mac.toString('hex')}`)]
        : [signature.nonce];
    return { ...visitor, heldBy: held.id, claim: this.#nonces.claim(principal.key.id, values) };
  }

  /** Uses up the nonce of a request that causes no unit of work. */
  async use({ claim, principal }: Proved): Promise<Denial | undefined> {
    if (claim.length === 0 || (await this.#nonces.use(claim))) return undefined;
    return replayed(principal.key);
  }

  /** Something changed: who anybody is must be read anew. */
  forget(): void {
    this.#authenticator.forget();
  }

  /** The same visitor, later: what was signed stays so, while what it was signed with still counts; the rest is asked anew. */
  async again(visitor: Proved, rules: DoorRules): Promise<Proved | Denial> {
    const { request, signature, heldBy } = visitor;
    const principal = await this.#find(request, signature);
    if (principal instanceof Denial) return principal;
    const refused = this.#checkPolicy(principal, signature, rules);
    if (refused !== undefined) return refused;
    if (heldBy !== undefined) {
      const verifiers = await this.#secrets.verifiersOf(principal.key);
      if (!verifiers.some(({ id }) => id === heldBy)) {
        return refuseSignature('signing secret ended', subjectOf(principal.key));
      }
    }
    return { ...visitor, principal };
  }

  async #find(request: PresentedRequest, signature: Signature | undefined): Promise<Principal | Denial> {
    if (signature?.keyId === undefined) return this.#authenticator.authenticate(request.secret);
    const found = await this.#authenticator.identify(signature.keyId);
    // An id is no secret: until the signature holds, nothing is said about the key that it names.
    if (!(found instanceof Denial)) return found;
    return hideReason(found);
  }

  #checkPolicy(principal: Principal, signature: Signature | undefined, rules: DoorRules): Denial | undefined {
    const { signing } = principal.key;
    const subject = subjectOf(principal.key);
    if (signature === undefined) {
      return mustSign(principal) ? refuseSignature('not signed', subject) : undefined;
    }
    if (signing === undefined) return refuseSignature('the key does not sign', subject);
    if (!signing.versions.includes(signature.version))
      return refuseSignature('version not accepted', subject);
    if (signature.version === '1' && !rules.acceptsVersion1)
      return refuseSignature('version 1 here', subject);
    return undefined;
  }

  /** The server's time in Unix seconds for a signature that is outside its window, `undefined` for one that is not. */
  #judgeTime({ timeS, endS = Infinity, windowS }: Signature): number | undefined {
    const nowMs = this.#clock.nowMs();
    if (this.#clock.isUnsteady === true) {
      throw new Fault('unavailable', {
        internal: "the machine's clock jumped",
        public: 'The time is not certain: signed requests must wait.',
      });
    }
    const behindMs = nowMs - timeS * 1_000;
    const isInside =
      behindMs <= windowS.past * 1_000 && -behindMs <= windowS.future * 1_000 && nowMs < endS * 1_000;
    return isInside ? undefined : Math.floor(nowMs / 1_000);
  }
}

function outOfTime(serverTimeS: number, found: Principal | Denial): Denial {
  const subject = found instanceof Denial ? found.detail.subject : subjectOf(found.key);
  return new Denial('invalid_signature', { reason: 'outside the time window', subject, serverTimeS });
}

/** Why a key does not work is said to nobody whose signature has not held. */
function hideReason({ code, detail }: Denial): Denial {
  const { reason = code, subject, isAlarm = false } = detail;
  return new Denial('invalid_signature', { reason, subject, isAlarm });
}
