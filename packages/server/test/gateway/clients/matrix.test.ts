/**
 * Every client that Keyfold says it serves, as a black box, against every vendor. What comes out is the table in
 * docs/clients.md: `KEYFOLD_UPDATE_DOCS=1` writes it, and without that it must be there already.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DATABASE_KINDS } from '../../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../../keyfold.ts';
import { type Gateway, type IssuedKey, assertSaysNothing, budgetsOf, callsOf, issueKey } from '../support.ts';
import { CLIENTS } from './all-clients.ts';
import type { ClientKind, Refusal } from './client.ts';
import { FEATURES, type Feature, type Outcome } from './features.ts';
import { Table, readCommitted, writeTable } from './table.ts';
import { type RunningVendor, VENDORS, type Vendor, costNanos, startVendor } from './vendors.ts';

describe('the clients of all vendors with the models of all vendors', () => {
  const vendors: RunningVendor[] = [];
  const table = new Table(VENDORS.map(({ name }) => name));
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

  for (const kind of CLIENTS) {
    for (const feature of FEATURES.filter(({ name }) => !kind.lacks.includes(name))) {
      for (const [index, { name }] of VENDORS.entries()) {
        test(`${kind.name}: ${feature.name} with ${name}`, async () => {
          const vendor = vendors[index];
          assert.ok(vendor);
          const says = await run(keyfold, { kind, feature, vendor });
          table.add({ section: kind.name, row: feature.name, cell: says });
        });
      }
    }
  }

  test('docs/clients.md has the table that this run makes', () => {
    if (process.env['KEYFOLD_UPDATE_DOCS'] === '1') writeTable(table.render());
    assert.equal(table.render(), readCommitted());
  });
});

interface Place {
  readonly kind: ClientKind;
  readonly feature: Feature;
  readonly vendor: RunningVendor;
}

/** Runs one cell with a key of its own, and returns what the table says of it. */
async function run(keyfold: TestKeyfold, { kind, feature, vendor }: Place): Promise<string> {
  const gateway = { keyfold, provider: { url: '' } } as Gateway;
  const key = await issueKey(gateway, { budgets: { total_usd: '100' } });
  const { standIn } = vendor;
  const heardBefore = standIn.heard.length;
  standIn.reset();
  let outcome: Outcome;
  try {
    outcome = await feature.run({ kind, vendor, client: kind.connect(keyfold.url, key.secret) });
  } catch (error) {
    const refusal = kind.readRefusal(error);
    if (refusal === undefined) throw error;
    outcome = readRefusal(refusal, vendor, standIn.heard.length - heardBefore);
  }
  await assertCost(gateway, key, outcome.costNanos);
  return outcome.says;
}

/** A refusal of the gateway's own names a field, and nothing has been sent. What a vendor refuses it has not heard. */
function readRefusal(refusal: Refusal, vendor: Vendor, heardCount: number): Outcome {
  const { status, code, param, message } = refusal;
  assertSaysNothing(message);
  if (code === 'unsupported_parameter') {
    assert.equal(status, 400, message);
    assert.equal(heardCount, 0);
    assert.ok(param !== '' && (message.includes(param) || message.includes(vendor.model)), message);
    return { says: `refused: \`${param}\``, costNanos: 0 };
  }
  assert.deepEqual([status, code], [400, 'invalid_request'], message);
  return { says: 'the vendor refuses', costNanos: heardCount * costNanos(vendor.tokens) };
}

async function assertCost(gateway: Gateway, key: IssuedKey, nanos: number): Promise<void> {
  const calls = await callsOf(gateway, key);
  const costs = calls.map((call) => Math.round(Number(call['cost_usd']) * 1e9));
  const sum = costs.reduce((total, cost) => total + cost, 0);
  assert.equal(sum, nanos, JSON.stringify(calls));
  const [budget] = await budgetsOf(gateway, key);
  assert.equal(Number(budget?.['held_usd']), 0);
  assert.equal(Math.round(Number(budget?.['posted_usd']) * 1e9), nanos);
}
