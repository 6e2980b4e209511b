import assert from 'node:assert/strict';
import { mkdtempSync, chmodSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Fault } from '../kernel/fault.ts';
import { SystemRandom } from '../kernel/random.ts';
import { RootKey, openRootKey, readRootKey } from './root-key.ts';
import { RowMac } from './row-mac.ts';
import { Sealer } from './sealer.ts';

const random = new SystemRandom();
const rootKey = new RootKey(Buffer.alloc(32, 7));
const context = ['credential', 'org_1', 'crd_1', '1', 'openai', 'https://api.openai.com'];

describe('sealer', () => {
  test('what was sealed opens with the same context, and two seals of one secret differ', () => {
    const sealer = new Sealer(rootKey, random);
    const first = sealer.seal(Buffer.from('sk-secret'), context);
    assert.notEqual(first, sealer.seal(Buffer.from('sk-secret'), context));
    assert.equal(sealer.open(first, context).toString(), 'sk-secret');
    assert.doesNotMatch(first, /sk-secret/);
  });

  test('a changed part of the context, or parts with moved borders, do not open', () => {
    const sealer = new Sealer(rootKey, random);
    const sealed = sealer.seal(Buffer.from('sk-secret'), context);
    for (const index of context.keys()) {
      assert.throws(() => sealer.open(sealed, context.with(index, 'other')), Fault);
    }
    assert.throws(() => sealer.open(sealed, ['credentialorg_1', ...context.slice(2)]), Fault);
    assert.throws(() => sealer.open(sealed, [...context, '']), Fault);
  });

  test('every flipped byte and a truncated tag do not open', () => {
    const sealer = new Sealer(rootKey, random);
    const sealed = sealer.seal(Buffer.from('sk-secret'), context);
    const [kek, wrapped = '', ciphertext = ''] = sealed.split('.');
    for (const [place, part] of [wrapped, ciphertext].entries()) {
      const bytes = Buffer.from(part, 'base64url');
      for (const index of bytes.keys()) {
        const flipped = Buffer.from(bytes);
        flipped[index] = (flipped[index] ?? 0) ^ 1;
        const parts = [wrapped, ciphertext].with(place, flipped.toString('base64url'));
        assert.throws(() => sealer.open([kek, ...parts].join('.'), context), Fault);
      }
      const short = [wrapped, ciphertext].with(place, bytes.subarray(0, -12).toString('base64url'));
      assert.throws(() => sealer.open([kek, ...short].join('.'), context), Fault);
    }
  });

  test('another root key opens nothing', () => {
    const sealed = new Sealer(rootKey, random).seal(Buffer.from('sk-secret'), context);
    const other = new Sealer(new RootKey(Buffer.alloc(32, 8)), random);
    assert.throws(() => other.open(sealed, context), Fault);
  });
});

describe('root key', () => {
  test('is made once, readable by its owner alone, and read again the same', () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyfold-root-'));
    const file = join(directory, 'deep', 'root.key');
    const made = openRootKey(file, random);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(openRootKey(file, random).id, made.id);
    chmodSync(file, 0o644);
    assert.throws(() => readRootKey(file), /chmod 600/);
    writeFileSync(file, 'short', { mode: 0o600 });
    chmodSync(file, 0o600);
    assert.throws(() => readRootKey(file), /64 hexadecimal/);
    rmSync(directory, { recursive: true });
  });

  test('each purpose has a key of its own', () => {
    const purposes = ['kek', 'pepper', 'audit-mac', 'row-mac', 'cursor'] as const;
    const keys = purposes.map((purpose) => rootKey.derive(purpose).export().toString('hex'));
    assert.equal(new Set(keys).size, purposes.length);
  });
});

describe('row MAC', () => {
  test('holds for the very same fields of the very same table alone', () => {
    const mac = new RowMac(rootKey);
    const signed = mac.sign('budgets', ['bud_1', 5_000_000_000n, null]);
    assert.ok(mac.holds('budgets', { fields: ['bud_1', 5_000_000_000n, null], mac: signed }));
    assert.ok(!mac.holds('budgets', { fields: ['bud_1', 5_000_000_001n, null], mac: signed }));
    assert.ok(!mac.holds('budgets', { fields: ['bud_1', 5_000_000_000n, 'null'], mac: signed }));
    assert.ok(!mac.holds('keys', { fields: ['bud_1', 5_000_000_000n, null], mac: signed }));
    assert.ok(!mac.holds('budgets', { fields: ['bud_1', 5_000_000_000n, null], mac: '' }));
  });
});
