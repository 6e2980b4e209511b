/** Test support: suites of requests that must be refused for their signature, leave nothing behind, and be counted. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { MODEL, type Reachable, addModel, assertRefused } from '../gateway/support.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { type MockProvider, startMockProvider } from '../mock-provider.ts';
import type { RawAnswer } from './pump.ts';
import {
  type Draft,
  INVALID_SIGNATURE,
  type Scheme,
  type Signer,
  type Wire,
  adminOf,
  assertInvalidSignature,
  chatText,
  claimsOf,
  createSigner,
  draftChat,
  headerOf,
  query,
  send,
  sign,
  sumRefusals,
  withHeader,
} from './support.ts';

export const BODY = chatText({ model: MODEL });
export const DOES_NOT_HOLD = 'signature does not hold';
export const MALFORMED = 'malformed signature';
export const LATE = 'outside the time window';

/** A key for each way to sign, and one that accepts every version. */
export type Name = 'v1' | 'v2' | 'hmac' | 'ed25519' | 'any';
export type Signers = Readonly<Record<Name, Signer>>;
/** Whom the audit log names: a key, or none where none can be found. */
export type Named = Name | 'nobody';

/** Of the second that has begun, and of the one that will: what passes until the server looks then helps no case. */
export const floorS = () => Math.floor(Date.now() / 1_000);
export const ceilS = () => Math.ceil(Date.now() / 1_000);

export interface Forged {
  readonly wire: Wire;
  readonly named: Named;
}

interface Status {
  readonly status: number;
  readonly code: string;
}

const RULES = { kind: 'live', budgets: { total_usd: '1' } };

/** The body adds its refusals; after them comes what holds for all of them. */
export function describeRefusals(name: string, body: (refusals: Refusals) => void): void {
  for (const kind of DATABASE_KINDS) {
    describe(`${name} on ${kind.name}`, () => {
      const refusals = new Refusals();
      before(() => refusals.start(kind));
      after(() => refusals.stop());
      body(refusals);
      refusals.endWithWhatHoldsForAll();
    });
  }
}

export class Refusals {
  /** How often each reason should be in the audit log, and of which key. */
  readonly #expected = new Map<string, number>();
  readonly #bodies = new Set<string>();
  /** What the requests that were accepted have used up. */
  #claims = 0;
  #keyfold: KeyfoldProcess | undefined;
  #provider: MockProvider | undefined;
  #signers: Promise<Signers> | undefined;

  async start(kind: DatabaseKind): Promise<void> {
    this.#provider = await startMockProvider();
    this.#keyfold = await createKeyfoldProcess(kind);
    await this.#keyfold.start();
    await addModel(this.admin, { name: MODEL, input: '1', output: '2' });
  }

  async stop(): Promise<void> {
    await this.#keyfold?.remove();
    await this.#provider?.stop();
  }

  get keyfold(): KeyfoldProcess {
    assert.ok(this.#keyfold);
    return this.#keyfold;
  }

  get provider(): MockProvider {
    assert.ok(this.#provider);
    return this.#provider;
  }

  get admin(): Reachable {
    return { keyfold: adminOf(this.keyfold), provider: this.provider };
  }

  get url(): string {
    return this.keyfold.url;
  }

  signers(): Promise<Signers> {
    return (this.#signers ??= createSigners(this.admin));
  }

  /** `reason` stands in the audit log alone. Without `other` the answer is the one to all that is not signed well. */
  add(
    name: string,
    forge: (signers: Signers) => Forged,
    expected: Partial<Status> & { reason: string },
  ): void {
    const { reason, status = 401, code = 'invalid_signature' } = expected;
    test(`${name} is refused with ${status} ${code}`, async () => {
      const all = await this.signers();
      const { wire, named } = forge(all);
      const before = this.provider.calls.length;
      const answer = await send(this.url, wire);
      if (code === 'invalid_signature') {
        this.#bodies.add(answer.text);
        assertInvalidSignature(answer);
        assertTime(answer, reason === LATE);
      } else assertRefused(answer, { status, code });
      assert.equal(this.provider.calls.length, before);
      this.expect({ code, reason, target: named === 'nobody' ? 'http' : all[named].id });
    });
  }

  /** What is signed is wrong in itself. */
  addDraft(
    name: string,
    change: () => Partial<Draft>,
    of: { who: Name; named?: Named; reason: string },
  ): void {
    const forge = (all: Signers) => {
      const draft = draftChat(this.url, { body: BODY, ...change() });
      return { wire: sign(all[of.who], draft), named: of.named ?? of.who };
    };
    this.add(name, forge, of);
  }

  /** What was signed well is changed afterwards. */
  addChange(
    name: string,
    change: (wire: Wire, signers: Signers) => Wire,
    of: Partial<Status> & { who: Name; named?: Named; reason: string },
  ): void {
    const forge = (all: Signers) => {
      const draft = draftChat(this.url, { body: BODY, idempotencyKey: 'idem-1' });
      const wire = change(sign(all[of.who], draft), all);
      return { wire, named: of.named ?? of.who };
    };
    this.add(name, forge, of);
  }

  /** Sends what is signed as it must be. */
  async accept(signer: Signer, draft: Draft): Promise<RawAnswer> {
    this.#claims += claimsOf(signer.scheme);
    return send(this.url, sign(signer, draft));
  }

  endWithWhatHoldsForAll(): void {
    test('all of these 401s have one body, whatever was wrong', () => {
      assert.deepEqual([...this.#bodies], [INVALID_SIGNATURE]);
    });

    test('the same request, signed as it must be, is served by each scheme that a key accepts', async () => {
      const all = await this.signers();
      const accepted: readonly (readonly [Name, readonly Scheme[]])[] = [
        ['v1', ['v1']],
        ['v2', ['v2']],
        ['hmac', ['rfc9421 hmac']],
        ['ed25519', ['rfc9421 ed25519']],
        ['any', ['v1', 'v2', 'rfc9421 hmac']],
      ];
      for (const [who, schemes] of accepted) {
        for (const scheme of schemes) {
          const draft = draftChat(this.url, { body: BODY, idempotencyKey: 'idem-1' });
          const answer = await this.accept({ ...all[who], scheme }, draft);
          assert.equal(answer.status, 200, `${who} ${scheme} ${answer.text}`);
        }
      }
    });

    test('none of them left a nonce, a reservation or a call; each reason is counted in the audit log', async () => {
      const sent = this.provider.calls.length;
      assert.equal(await this.keyfold.signal('SIGTERM'), 0);
      assert.deepEqual(
        Object.fromEntries(await sumRefusals(this.keyfold)),
        Object.fromEntries(this.#expected),
      );
      assert.equal((await query(this.keyfold, 'select value from claims')).length, this.#claims);
      assert.deepEqual(await query(this.keyfold, 'select * from reservations'), []);
      const calls = await query(this.keyfold, 'select status from calls');
      assert.deepEqual(
        calls.map((row) => Number(row['status'])),
        Array.from({ length: sent }, () => 200),
      );
    });
  }

  /** One more refusal should be counted. */
  expect(of: { readonly code: string; readonly reason: string; readonly target: string }): void {
    const line = `${of.code}, ${of.reason}, ${of.target}`;
    this.#expected.set(line, (this.#expected.get(line) ?? 0) + 1);
  }
}

/** With another value in place of what the header has; without it where the value is `undefined`. */
export function change(name: string, to: (value: string) => string | undefined): (wire: Wire) => Wire {
  return (wire) => withHeader(wire, name, to(headerOf(wire, name)));
}

async function createSigners(admin: Reachable): Promise<Signers> {
  const every = { ...RULES, signing: { versions: ['1', '2', 'rfc9421'] } };
  return {
    v1: await createSigner(admin, 'v1', RULES),
    v2: await createSigner(admin, 'v2', RULES),
    hmac: await createSigner(admin, 'rfc9421 hmac', RULES),
    ed25519: await createSigner(admin, 'rfc9421 ed25519', RULES),
    any: await createSigner(admin, 'v2', every),
  };
}

/** Where the time was wrong, and nowhere else, the answer says what the time is. */
function assertTime(answer: RawAnswer, isWrong: boolean): void {
  assert.ok(Math.abs(Date.parse(answer.header('date') ?? '') - Date.now()) < 5_000);
  const time = answer.header('x-keyfold-time');
  if (!isWrong) assert.equal(time, undefined);
  else assert.ok(/^\d{10}$/.test(time ?? '') && Math.abs(Number(time) - Date.now() / 1_000) < 5);
}
