/** What cannot be said to the provider of a model is refused by name, in the client's own dialect, and costs nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DATABASE_KINDS } from '../../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../../keyfold.ts';
import {
  type Gateway,
  type IssuedKey,
  assertNothingHeld,
  assertSaysNothing,
  callsOf,
  issueKey,
} from '../support.ts';
import { CHAT_COMPLETIONS } from './bad-chat.ts';
import { GEMINI } from './bad-gemini.ts';
import { MESSAGES } from './bad-messages.ts';
import { RESPONSES } from './bad-responses.ts';
import type { BadRequests, ErrorBody } from './bad-requests.ts';
import { type RunningVendor, VENDORS, type Vendor, startVendor } from './vendors.ts';

/** Each client with the vendors whose dialect is another. */
const CLIENTS: readonly { readonly requests: BadRequests; readonly vendors: readonly string[] }[] = [
  { requests: CHAT_COMPLETIONS, vendors: ['Anthropic', 'Google'] },
  { requests: RESPONSES, vendors: ['Anthropic', 'Google', 'DeepSeek'] },
  { requests: MESSAGES, vendors: ['OpenAI', 'Google', 'DeepSeek'] },
  { requests: GEMINI, vendors: ['OpenAI', 'Anthropic', 'compatible server'] },
];

describe('bad input that would be translated', () => {
  const vendors = new Map<string, RunningVendor>();
  let keyfold: TestKeyfold;
  let key: IssuedKey;

  before(async () => {
    const [sqlite] = DATABASE_KINDS;
    assert.ok(sqlite);
    keyfold = await startTestKeyfold(sqlite, { bodyBytesMax: 64 * 1_048_576 });
    for (const vendor of VENDORS) vendors.set(vendor.name, await startVendor(keyfold, vendor));
    key = await issueKey(gateway(), { budgets: { total_usd: '100' } });
  });
  after(async () => {
    await keyfold.stop();
    for (const { standIn } of vendors.values()) await standIn[Symbol.asyncDispose]();
  });

  const gateway = () => ({ keyfold, provider: { url: '' } }) as Gateway;

  /** Sends it, and expects this refusal and no other effect. */
  async function refuse(
    requests: BadRequests,
    { name, model }: Vendor,
    bad: { readonly fields: object; readonly param: string; readonly code?: string },
  ): Promise<void> {
    const standIn = vendors.get(name)?.standIn;
    const heardBefore = standIn?.heard.length;
    const body = { ...requests.least(model), ...bad.fields };
    const answer = await keyfold.request('POST', requests.path(model), body, key.secret);
    assert.equal(answer.status, 400, answer.text);
    const told = requests.readError(answer.body);
    assert.deepEqual(told, [bad.code ?? 'invalid_request', bad.param], answer.text);
    assertShape(requests, answer.body);
    assertSaysNothing(answer.text);
    assert.equal(standIn?.heard.length, heardBefore);
    assert.deepEqual(await callsOf(gateway(), key), []);
    await assertNothingHeld(gateway(), key);
  }

  for (const { requests, vendors: names } of CLIENTS) {
    for (const vendor of VENDORS.filter(({ name }) => names.includes(name))) {
      for (const bad of requests.cases) {
        test(`${requests.dialect} to ${vendor.name}: ${bad.name}`, () => refuse(requests, vendor, bad));
      }
    }

    test(`${requests.dialect}: an image of more than 20 MB`, async () => {
      const [vendor] = VENDORS.filter(({ name }) => names.includes(name));
      assert.ok(vendor);
      const base64 = 'AAAA'.repeat(7_000_000);
      await refuse(requests, vendor, requests.hugeImage(base64));
    });
  }
});

/** The error is of the class that the client's vendor has for it. */
function assertShape({ dialect }: BadRequests, { type, error }: ErrorBody): void {
  if (dialect === 'Gemini') assert.equal(error?.status, 'INVALID_ARGUMENT');
  else assert.equal(error?.type, 'invalid_request_error');
  assert.equal(type, dialect === 'Messages' ? 'error' : undefined);
}
