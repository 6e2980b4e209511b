import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, test } from 'node:test';
import { CheckpointKey } from './checkpoint-key.ts';
import { RootKey } from './root-key.ts';

describe('the key of checkpoints', () => {
  const key = new CheckpointKey(new RootKey(Buffer.alloc(32, 1)));
  const head = Buffer.alloc(32, 7);
  const note = key.sign({ node: 3, size: 1_000, head });

  test('signs what anybody verifies with the verifier key alone', () => {
    const [name = '', id = '', encoded = ''] = key.vkey.split('+');
    const raw = Buffer.from(encoded, 'base64').subarray(1);
    const [text = '', line = ''] = note.split('\n\n');
    assert.equal(text, `${name}/node/3\n1000\n${head.toString('base64')}`);
    const [dash, signer, signature = ''] = line.trimEnd().split(' ');
    assert.deepEqual([dash, signer], ['—', name]);
    const bytes = Buffer.from(signature, 'base64');
    assert.equal(bytes.subarray(0, 4).toString('hex'), id);
    const named = Buffer.concat([Buffer.from(`${name}\n\u0001`), raw]);
    assert.equal(createHash('sha256').update(named).digest('hex').slice(0, 8), id);
    const publicKey = createPublicKey({
      format: 'jwk',
      key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
    });
    assert.ok(verify(null, Buffer.from(`${text}\n`), publicKey, bytes.subarray(4)));
  });

  test('is the same for the same root key and another for another', () => {
    assert.equal(new CheckpointKey(new RootKey(Buffer.alloc(32, 1))).vkey, key.vkey);
    assert.notEqual(new CheckpointKey(new RootKey(Buffer.alloc(32, 2))).vkey, key.vkey);
  });

  test('opens its own notes, and none of which a byte was changed', () => {
    const opened = key.open(note);
    assert.deepEqual([opened?.node, opened?.size, Buffer.from(opened?.head ?? [])], [3, 1_000, head]);
    assert.equal(new CheckpointKey(new RootKey(Buffer.alloc(32, 2))).open(note), undefined);
    for (let place = 0; place < note.length; place++) {
      const other = note[place] === 'A' ? 'B' : 'A';
      assert.equal(
        key.open(note.slice(0, place) + other + note.slice(place + 1)),
        undefined,
        `byte ${place}`,
      );
    }
  });
});
