import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { startTestKeyfold } from '../keyfold.ts';
import {
  SCHEMES,
  assertInvalidSignature,
  call,
  chatText,
  createSigner,
  draftChat,
  headerOf,
  send,
  sign,
  withHeader,
} from './support.ts';

for (const kind of DATABASE_KINDS) {
  describe(`an Idempotency-Key on signed calls on ${kind.name}`, () => {
    for (const scheme of SCHEMES) {
      test(`by ${scheme} brings the answer back to a signature of its own, and to none that was used`, async () => {
        await using keyfold = await startTestKeyfold(kind);
        const signer = await createSigner({ keyfold }, scheme);
        const draft = (fields = {}) => draftChat(keyfold.url, { idempotencyKey: 'idem-1', ...fields });
        const wire = sign(signer, draft());
        const first = await send(keyfold.url, wire);
        assert.equal(first.status, 200, first.text);
        // The very same request is a replay of its signature, and not of its answer.
        assertInvalidSignature(await send(keyfold.url, wire));
        const fresh = sign(signer, draft());
        const again = await send(keyfold.url, fresh);
        assert.deepEqual([again.status, again.text], [200, first.text]);
        assert.equal(again.header('idempotent-replayed'), 'true');
        // That signature was used up for the answer, as one is for a call.
        assertInvalidSignature(await send(keyfold.url, fresh));
        const other = sign(signer, draft({ body: chatText({ temperature: 1 }) }));
        assert.equal((await send(keyfold.url, other)).status, 422);
        assertInvalidSignature(await send(keyfold.url, other));
        const calls = await keyfold.request('GET', `/v1/calls?key_id=${signer.id}`);
        assert.equal((calls.body['data'] as unknown[]).length, 1);
      });
    }

    test('is signed: with another the signature does not hold', async () => {
      await using keyfold = await startTestKeyfold(kind);
      for (const scheme of SCHEMES.filter((each) => each !== 'v1')) {
        const signer = await createSigner({ keyfold }, scheme);
        const wire = sign(signer, draftChat(keyfold.url, { idempotencyKey: 'mine' }));
        assert.equal(headerOf(wire, 'idempotency-key'), 'mine');
        for (const value of ['theirs', undefined]) {
          assertInvalidSignature(await send(keyfold.url, withHeader(wire, 'Idempotency-Key', value)));
        }
        assert.equal((await call(keyfold.url, signer)).status, 200);
      }
    });
  });
}
