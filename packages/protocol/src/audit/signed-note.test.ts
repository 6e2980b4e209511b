import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, test } from 'node:test';
import { encodeBase64 } from '../signing/base64.ts';
import { checkpointOrigin, parseCheckpoint, renderCheckpoint } from './checkpoint.ts';
import {
  noteKeyIdInput,
  parseNote,
  parseVerifierKey,
  renderNote,
  renderVerifierKey,
  signaturesBy,
} from './signed-note.ts';

/** The example in the documentation of golang.org/x/mod/sumdb/note, where the format comes from. */
const VERIFIER_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const NOTE = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;

describe('signed notes', () => {
  const key = parseVerifierKey(VERIFIER_KEY) ?? assert.fail();
  const note = parseNote(NOTE) ?? assert.fail();

  test('are read and written as the ecosystem does', () => {
    assert.equal(renderNote(note), NOTE);
    assert.equal(renderVerifierKey(key), VERIFIER_KEY);
    const id = createHash('sha256').update(noteKeyIdInput(key.name, key.publicKey)).digest();
    assert.deepEqual([...id.subarray(0, 4)], [...key.keyId]);
    const [signature = assert.fail()] = signaturesBy(note, key);
    const publicKey = createPublicKey({
      format: 'jwk',
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.publicKey).toString('base64url') },
    });
    assert.ok(verify(null, Buffer.from(note.text), publicKey, signature));
  });

  test('a signature under another name, or another id, is not that of the key', () => {
    assert.deepEqual(signaturesBy(note, { ...key, name: 'Peter' }), []);
    assert.deepEqual(signaturesBy(note, { ...key, keyId: Uint8Array.from([1, 2, 3, 4]) }), []);
  });

  for (const [what, text] of [
    ['no signature', 'text\n'],
    ['no blank line', NOTE.replace('\n\n', '\n')],
    ['no last newline', NOTE.slice(0, -1)],
    ['a hyphen for the dash', NOTE.replace('—', '-')],
    ['a control character', NOTE.replace('If', '\u001bIf')],
    ['a carriage return', NOTE.replaceAll('\n', '\r\n')],
    ['a lone surrogate', NOTE.replace('If', '\ud800')],
    ['base64 that is not canonical', NOTE.replace('nAM=', 'nAN=')],
    ['too many signatures', NOTE + (NOTE.split('\n\n')[1] ?? '').repeat(16)],
    ['too much text', 'x'.repeat(70_000) + NOTE],
  ] as const) {
    test(`what has ${what} is none`, () => assert.equal(parseNote(text), undefined));
  }

  test('a verifier key of another kind or length is none', () => {
    for (const text of [
      '',
      'a+b',
      'name+c74f20a3+',
      VERIFIER_KEY.replace('+AR', '+BB'),
      `${VERIFIER_KEY}AAAA`,
    ]) {
      assert.equal(parseVerifierKey(text), undefined, text);
    }
  });
});

describe('checkpoints', () => {
  const head = new Uint8Array(32).fill(7);
  const origin = checkpointOrigin('keyfold-0102030405060708', 3);

  test('are three lines, and read as what was written', () => {
    const text = renderCheckpoint({ origin, size: 1_000, head });
    assert.equal(text, `keyfold-0102030405060708/node/3\n1000\n${encodeBase64(head)}\n`);
    assert.deepEqual(parseCheckpoint(text), { origin, node: 3, size: 1_000, head });
  });

  test('any other text is none', () => {
    const text = renderCheckpoint({ origin, size: 1_000, head });
    for (const other of [
      '',
      text.slice(0, -1),
      `${text}more\n`,
      text.replace('1000', '01000'),
      text.replace('1000', '-1'),
      text.replace('1000', '99999999999999999'),
      text.replace('/node/3', ''),
      text.replace('/node/3', '/node/0'),
      text.replace('BwcH', 'BwcH='),
    ]) {
      assert.equal(parseCheckpoint(other), undefined, JSON.stringify(other));
    }
  });
});
