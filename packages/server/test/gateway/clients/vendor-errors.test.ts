/** What goes wrong at a vendor reaches every client as an error of its own vendor's, without anything of the inside. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DATABASE_KINDS } from '../../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../../keyfold.ts';
import {
  type Gateway,
  type IssuedKey,
  assertNothingHeld,
  assertSaysNothing,
  issueKey,
  onlyCall,
} from '../support.ts';
import { CLIENTS } from './all-clients.ts';
import type { ClientKind, Refusal } from './client.ts';
import { type RunningVendor, VENDORS, startVendor } from './vendors.ts';

/** What a vendor answers with, and what its client is told: of the credential and of failures nothing but that. */
const ERRORS: readonly {
  readonly status: number;
  readonly told: { readonly status: number; readonly code: string };
  readonly isPassedOn?: boolean;
}[] = [
  { status: 400, told: { status: 400, code: 'invalid_request' }, isPassedOn: true },
  { status: 401, told: { status: 502, code: 'provider_error' } },
  { status: 403, told: { status: 502, code: 'provider_error' } },
  { status: 404, told: { status: 404, code: 'model_not_found' } },
  { status: 429, told: { status: 429, code: 'rate_limit_exceeded' } },
  { status: 500, told: { status: 502, code: 'provider_error' } },
  { status: 503, told: { status: 502, code: 'provider_error' } },
];

describe("vendors' errors", () => {
  const vendors: RunningVendor[] = [];
  let keyfold: TestKeyfold;

  before(async () => {
    const [sqlite] = DATABASE_KINDS;
    assert.ok(sqlite);
    keyfold = await startTestKeyfold(sqlite);
    for (const vendor of VENDORS) vendors.push(await startVendor(keyfold, vendor));
  });
  after(async () => {
    await keyfold.stop();
    for (const { standIn } of vendors) await standIn[Symbol.asyncDispose]();
  });

  const gateway = () => ({ keyfold, provider: { url: '' } }) as Gateway;
  const newKey = () => issueKey(gateway(), { budgets: { total_usd: '100' } });

  for (const kind of CLIENTS) {
    for (const [index, { name }] of VENDORS.entries()) {
      test(`${kind.name}: what fails at ${name} is told in the client's own form, and costs nothing`, async () => {
        const vendor = vendors[index];
        assert.ok(vendor);
        for (const { status, told, isPassedOn = false } of ERRORS) {
          const key = await newKey();
          const inside = isPassedOn ? '' : `, said 127.0.0.1 of ${vendor.format.secret}`;
          vendor.standIn.reset();
          vendor.standIn.failNext(status, `it went wrong${inside}`);
          const refusal = await refusalOf(kind, ask(kind, vendor, key));
          assert.deepEqual({ status: refusal.status, code: refusal.code }, told, refusal.message);
          assert.equal(refusal.message.includes('it went wrong'), isPassedOn, refusal.message);
          assert.ok(!refusal.message.includes(vendor.format.secret));
          assertSaysNothing(refusal.message);
          assert.equal((await onlyCall(gateway(), key))['cost_usd'], '0.00');
          await assertNothingHeld(gateway(), key);
        }
      });

      test(`${kind.name}: a stream that ${name} breaks off is an error, and is charged at its hold`, async () => {
        const vendor = vendors[index];
        assert.ok(vendor);
        const key = await newKey();
        vendor.standIn.reset();
        vendor.standIn.say({ text: 'Half of it, and no more.', breaksOff: true, tokens: vendor.tokens });
        await assert.rejects(ask(kind, vendor, key, true));
        const call = await onlyCall(gateway(), key);
        assert.ok(Number(call['cost_usd']) > 0, JSON.stringify(call));
        assert.notEqual(call['provenance'], 'provider');
        await assertNothingHeld(gateway(), key);
      });
    }
  }

  function ask(kind: ClientKind, vendor: RunningVendor, key: IssuedKey, streamed = false): Promise<unknown> {
    const client = kind.connect(keyfold.url, key.secret);
    return client.ask({ model: vendor.model, prompt: 'Hi', limit: 50, streamed });
  }
});

async function refusalOf(kind: ClientKind, asked: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await asked.then(
    () => assert.fail('it was not refused'),
    (reason: unknown) => reason,
  );
  const refusal = kind.readRefusal(error);
  assert.ok(refusal, String(error));
  return refusal;
}
