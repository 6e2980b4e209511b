import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeGateway } from '../gateway/support.ts';
import { SCHEMES, assertInvalidSignature, createSigner, draftChat, send, sign } from './support.ts';

const FORM = {
  path: '/v1/audio/transcriptions',
  contentType: 'multipart/form-data; boundary=b',
  body: Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nany\r\n'),
    Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'),
    Buffer.from([0, 255, 13, 10, 45, 45]),
    Buffer.from('\r\n--b--\r\n'),
  ]),
};

describeGateway('a signed form', { kinds: ['sqlite'] }, (gateway) => {
  const url = () => gateway().keyfold.url;

  // Version 1 signs JSON alone: what is no object could be signed as something else.
  for (const scheme of SCHEMES.filter((each) => each !== 'v1')) {
    test(`by ${scheme} is served, its raw bytes signed, and not with one of them changed`, async () => {
      const signer = await createSigner(gateway(), scheme, { permissions: ['audio'] });
      const served = await send(url(), sign(signer, draftChat(url(), FORM)));
      assert.equal(served.status, 200, served.text);
      assert.match(served.text, /The sandbox heard 6 bytes\./);
      const wire = sign(signer, draftChat(url(), FORM));
      const body = Buffer.from(wire.body);
      body[body.length - 12] = 1;
      assertInvalidSignature(await send(url(), { ...wire, body }));
    });
  }

  test('by version 1 is refused', async () => {
    const signer = await createSigner(gateway(), 'v1', { permissions: ['audio'] });
    assertInvalidSignature(await send(url(), sign(signer, draftChat(url(), FORM))));
  });
});
