import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeGateway } from '../gateway/support.ts';
import {
  BODY,
  DOES_NOT_HOLD,
  LATE,
  MALFORMED,
  type Name,
  type Named,
  type Refusals,
  type Signers,
  ceilS,
  change,
  describeRefusals,
  floorS,
} from './refusals.ts';
import {
  SCHEMES,
  type Scheme,
  type Signer,
  addHeader,
  assertInvalidSignature,
  createSigner,
  draftChat,
  draftGet,
  headerOf,
  newNonce,
  send,
  sign,
  withHeader,
} from './support.ts';

const UNKNOWN_KEY = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
const UNKNOWN_ID = 'key_01m83pzh8yjdapwjg4vn1rka6m';
const NOBODY = { named: 'nobody' } as const;

describeRefusals('a request of version 1 or 2 that is not signed exactly as it must be', (refusals) => {
  for (const who of ['v1', 'v2'] as const) {
    addMacs(refusals, who);
    addTimestamps(refusals, who);
    addNonces(refusals, who);
    addBodies(refusals, who);
  }
  addTimes(refusals);
  addVersions(refusals);
  addIds(refusals);
  addBearersAndPaths(refusals);
  addV1(refusals);
  addDuplicates(refusals);
});

describeGateway('an answer that refuses a signature', {}, (gateway) => {
  for (const scheme of SCHEMES.filter((each) => each === 'v2' || each === 'rfc9421 hmac')) {
    for (const ageS of [0, 3_600]) {
      test(`by ${scheme}, ${ageS} s old, does not tell whether there is a key with that id`, async () => {
        const { url } = gateway().keyfold;
        const signer = await createSigner(gateway(), scheme);
        const revoked = await createSigner(gateway(), scheme);
        await gateway().keyfold.request('DELETE', `/v1/keys/${revoked.id}`);
        const unsigned = await gateway().keyfold.request('POST', '/v1/keys', { permissions: ['chat'] });
        const heads = new Map<string, string>();
        for (const id of [signer.id, revoked.id, String(unsigned.body['id']), UNKNOWN_ID]) {
          const forger: Signer = { ...signer, id, secret: 'guessed' };
          const draft = draftChat(url, { timestamp: String(floorS() - ageS) });
          const answer = await send(url, sign(forger, draft));
          assertInvalidSignature(answer);
          heads.set(id, answer.head.replaceAll(/req_\w+|(?<=Date: |time: ).*/g, ''));
        }
        assert.equal(new Set(heads.values()).size, 1, JSON.stringify([...heads], undefined, 1));
      });
    }
  }
});

function addMacs(refusals: Refusals, who: 'v1' | 'v2'): void {
  const macs: readonly [string, (mac: string) => string | undefined][] = [
    ['of 63 characters', (mac) => mac.slice(1)],
    ['of 65 characters', (mac) => `${mac}0`],
    ['in upper case', (mac) => mac.toUpperCase()],
    ['with a character that is no digit', (mac) => `${mac.slice(1)}g`],
    ['that is empty', () => ''],
    ['that is absent', () => undefined],
    ['in base64', (mac) => Buffer.from(mac, 'hex').toString('base64')],
    ['with a prefix', (mac) => `0x${mac.slice(2)}`],
    ['beside another one and a comma', (mac) => `${mac},${mac}`],
    ['beside another one and two blanks', (mac) => `${mac}  ${mac}`],
    ['beside another one and a tab', (mac) => `${mac}\t${mac}`],
    who === 'v1'
      ? ['that is two', (mac) => `${mac} ${mac}`]
      : ['that is three', (mac) => `${mac} ${mac} ${mac}`],
  ];
  for (const [name, to] of macs) {
    const of = { who, ...NOBODY, reason: MALFORMED };
    refusals.addChange(`a ${who} signature ${name}`, change('X-Signature', to), of);
  }
  for (const [name, to] of [
    ['of nothing but zeros', () => '0'.repeat(64)],
    ['with its last digit changed', (mac: string) => mac.slice(0, -1) + (mac.endsWith('0') ? '1' : '0')],
    ['with its first digit changed', (mac: string) => (mac.startsWith('0') ? '1' : '0') + mac.slice(1)],
  ] as const) {
    refusals.addChange(`a ${who} signature ${name}`, change('X-Signature', to), {
      who,
      reason: DOES_NOT_HOLD,
    });
  }
}

function addTimestamps(refusals: Refusals, who: 'v1' | 'v2'): void {
  const ten = () => String(floorS());
  const timestamps: readonly [string, () => string][] = [
    ['that is negative', () => `-${ten()}`],
    ['with a sign', () => `+${ten()}`],
    ['with a fraction', () => `${ten()}.0`],
    ['in milliseconds', () => String(Date.now())],
    ['with a leading zero', () => `0${ten()}`],
    ['with a blank in it', () => `${ten().slice(0, 5)} ${ten().slice(5)}`],
    ['with an exponent', () => '1.7e9'],
    ['in hexadecimal digits', () => `0x${floorS().toString(16)}`],
    ['of nine digits', () => ten().slice(0, 9)],
    ['that is empty', () => ''],
    ['that is a date', () => new Date().toISOString()],
    ['with a digit beyond ASCII', () => `${ten().slice(0, 9)}\u00b2`],
  ];
  for (const [name, timestamp] of timestamps) {
    const of = { who, ...NOBODY, reason: 'malformed timestamp' };
    refusals.addDraft(`a ${who} timestamp ${name}`, () => ({ timestamp: timestamp() }), of);
  }
}

function addNonces(refusals: Refusals, who: 'v1' | 'v2'): void {
  const nonces: readonly [string, string][] = [
    ['of 15 characters', newNonce().slice(0, 15)],
    ['of 65 characters', newNonce().repeat(4).slice(0, 65)],
    ['with a dot', `${newNonce()}.`],
    ['with a plus sign', `${newNonce()}+`],
    ['with a blank in it', `${newNonce()} a`],
    ['with a letter beyond ASCII', `${newNonce()}\u00e9`],
    ['that looks like a MAC in the database', `mac:${newNonce()}`],
  ];
  for (const [name, nonce] of nonces) {
    const of = { who, ...NOBODY, reason: 'malformed nonce' };
    refusals.addDraft(`a ${who} nonce ${name}`, () => ({ nonce }), of);
  }
  for (const [header, reason] of [
    ['X-Nonce', 'malformed nonce'],
    ['X-Timestamp', 'malformed timestamp'],
  ] as const) {
    for (const value of ['', undefined]) {
      const name = `a ${who} ${header} that is ${value === undefined ? 'absent' : 'empty'}`;
      refusals.addChange(name, (wire) => withHeader(wire, header, value), { who, ...NOBODY, reason });
    }
  }
}

function addBodies(refusals: Refusals, who: 'v1' | 'v2'): void {
  const bodies: readonly [string, () => string][] = [
    ['that was parsed and written again', () => JSON.stringify(JSON.parse(BODY), undefined, 1)],
    ['with a blank after it', () => `${BODY} `],
    ['with a line break after it', () => `${BODY}\n`],
    ['that was left out', () => ''],
  ];
  for (const [name, body] of bodies) {
    const of = { who, reason: DOES_NOT_HOLD };
    refusals.addChange(`a ${who} body ${name}`, (wire) => ({ ...wire, body: Buffer.from(body()) }), of);
  }
  refusals.addChange(
    `a ${who} signature with one by the standard beside it`,
    (wire, all) => {
      const { headers } = sign(all.hmac, draftChat(refusals.url, { body: BODY }));
      const added = headers.filter(([name]) => /^(signature|content-digest)/i.test(name));
      return { ...wire, headers: [...wire.headers, ...added] };
    },
    { who, ...NOBODY, reason: 'several schemes' },
  );
}

function addTimes(refusals: Refusals): void {
  const windows = { v1: [300, 300], v2: [300, 60], hmac: [300, 60], ed25519: [300, 60] } as const;
  for (const who of ['v1', 'v2', 'hmac', 'ed25519'] as const) {
    const [past, future] = windows[who];
    for (const [name, timeS] of [
      [`${past + 1} s old`, () => floorS() - past - 1],
      [`${future + 1} s ahead`, () => ceilS() + future + 1],
      ['an hour old', () => floorS() - 3_600],
      ['an hour ahead', () => ceilS() + 3_600],
    ] as const) {
      const timestamp = () => ({ timestamp: String(timeS()) });
      refusals.addDraft(`a signature by ${who} that is ${name}`, timestamp, { who, reason: LATE });
    }
    test(`a signature by ${who} that is ${past - 1} s old, or ${future - 1} s ahead, is accepted`, async () => {
      const signer = (await refusals.signers())[who];
      for (const timeS of [ceilS() - past + 1, floorS() + future - 1]) {
        const draft = draftChat(refusals.url, { body: BODY, timestamp: String(timeS) });
        const answer = await refusals.accept(signer, draft);
        assert.equal(answer.status, 200, answer.text);
      }
    });
  }
  refusals.addDraft(
    'a v2 timestamp with a leading zero that makes ten digits',
    () => ({ timestamp: `0${String(floorS()).slice(0, 9)}` }),
    { who: 'v2', reason: LATE },
  );
}

function addVersions(refusals: Refusals): void {
  for (const version of ['3', '02', '2.0', '2,1', 'two', '', 'rfc9421']) {
    refusals.addChange(
      `the signature version '${version}'`,
      change('X-Signature-Version', () => version),
      { who: 'v2', ...NOBODY, reason: 'unknown version' },
    );
  }
  for (const version of [undefined, '1']) {
    refusals.addChange(
      `a v2 signature ${version === undefined ? 'with its version taken away' : 'that says it is version 1'}`,
      change('X-Signature-Version', () => version),
      { who: 'v2', ...NOBODY, reason: 'version 1 with a key id' },
    );
  }
  refusals.addChange(
    'a v2 signature of which all but the MAC is made version 1',
    (wire, all) => {
      const plain = withHeader(withHeader(wire, 'X-Signature-Version', undefined), 'X-Key-Id', undefined);
      return addHeader(plain, 'Authorization', `Bearer ${all.any.apiKey}`);
    },
    { who: 'any', reason: DOES_NOT_HOLD },
  );
  const downgrades: readonly [string, Name, Scheme][] = [
    ['version 1 on a key that accepts version 2 alone', 'v2', 'v1'],
    ['version 2 on a key that accepts version 1 alone', 'v1', 'v2'],
    ['the standard on a key that accepts version 2 alone', 'v2', 'rfc9421 hmac'],
    ['version 1 on a key that accepts the standard alone', 'hmac', 'v1'],
    ['version 2 on a key that accepts the standard alone', 'hmac', 'v2'],
    ['version 1 with an empty secret on a key that signs with Ed25519', 'ed25519', 'v1'],
    ['version 2 with an empty secret on a key that signs with Ed25519', 'ed25519', 'v2'],
  ];
  for (const [name, who, scheme] of downgrades) {
    const forge = (all: Signers) => {
      const draft = draftChat(refusals.url, { body: BODY });
      return { wire: sign({ ...all[who], scheme }, draft), named: who };
    };
    refusals.add(name, forge, { reason: 'version not accepted' });
  }
}

function addIds(refusals: Refusals): void {
  const ids: readonly [string, (all: Signers) => string, string, Named][] = [
    ['that nobody has', () => UNKNOWN_ID, 'unknown key', 'nobody'],
    ['that is none', () => 'nobody', 'malformed key id', 'nobody'],
    ['that is empty', () => '', 'malformed key id', 'nobody'],
    ['in capitals', (all) => all.v2.id.toUpperCase(), 'malformed key id', 'nobody'],
    ['that is a bearer key', (all) => all.v2.apiKey, 'malformed key id', 'nobody'],
    ['of another key', (all) => all.any.id, DOES_NOT_HOLD, 'any'],
  ];
  for (const [name, id, reason, named] of ids) {
    for (const who of ['v2', 'hmac'] as const) {
      const forge = (all: Signers) => {
        const draft = draftChat(refusals.url, { body: BODY });
        return { wire: sign({ ...all[who], id: id(all) }, draft), named };
      };
      refusals.add(`a signature by ${who} for a key id ${name}`, forge, { reason });
    }
  }
  refusals.addChange('a v2 key id that is absent', (wire) => withHeader(wire, 'X-Key-Id', undefined), {
    who: 'v2',
    ...NOBODY,
    reason: 'no key id',
  });
}

function addBearersAndPaths(refusals: Refusals): void {
  for (const who of ['v2', 'hmac', 'ed25519'] as const) {
    for (const header of ['Authorization', 'X-Api-Key', 'X-Goog-Api-Key']) {
      refusals.addChange(
        `a bearer key in ${header} beside a signature by ${who}`,
        (wire, all) => addHeader(wire, header, all[who].apiKey),
        { who, ...NOBODY, reason: 'signed, and a key sent along' },
      );
    }
    const signed = () => draftGet(refusals.url, '/v1/models/A-model');
    for (const [name, target] of [
      ['%41 for A', '/v1/models/%41-model'],
      ['%2D for -', '/v1/models/A%2Dmodel'],
      ['a letter in lower case', '/v1/models/a-model'],
      ['a slash at its end', '/v1/models/A-model/'],
      ['a query', '/v1/models/A-model?a=1'],
    ] as const) {
      const forge = (all: Signers) => {
        const draft = signed();
        return { wire: { ...sign(all[who], draft), target }, named: who };
      };
      refusals.add(`a path signed by ${who} and sent with ${name}`, forge, { reason: DOES_NOT_HOLD });
    }
    test(`a path signed by ${who} with %41 and sent so passes: there is no such model`, async () => {
      const signer = (await refusals.signers())[who];
      const draft = draftGet(refusals.url, '/v1/models/%41-model');
      assert.equal((await refusals.accept(signer, draft)).status, 404);
    });
  }
}

function addV1(refusals: Refusals): void {
  for (const [method, path] of [
    ['GET', '/v1/usage/current'],
    ['GET', '/v1/keys'],
    ['POST', '/v1/keys/self/children'],
  ] as const) {
    test(`a v1 signature of ${method} ${path}, on the management API, is refused`, async () => {
      const { any } = await refusals.signers();
      const draft = draftGet(refusals.url, path, { method });
      const answer = await send(refusals.url, sign({ ...any, scheme: 'v1' }, draft));
      assert.deepEqual([answer.status, answer.body['code']], [401, 'invalid_signature'], answer.text);
      refusals.expect({
        code: 'invalid_signature',
        reason: 'version 1 here',
        target: any.id,
      });
    });
  }

  for (const [name, body] of [
    ['a list', '[1]'],
    ['a blank before its object', ` ${BODY}`],
    ['text', '"{"'],
  ] as const) {
    refusals.addDraft(`a v1 body of ${name}`, () => ({ body }), { who: 'v1', reason: 'cannot be signed' });
  }
  refusals.addChange(
    'a v1 request in which a digit has moved from the timestamp into the nonce, and the MAC holds,',
    (wire) => {
      const timestamp = headerOf(wire, 'X-Timestamp');
      const moved = change('X-Nonce', (nonce) => timestamp.slice(-1) + nonce)(wire);
      return withHeader(moved, 'X-Timestamp', timestamp.slice(0, -1));
    },
    { who: 'v1', ...NOBODY, reason: 'malformed timestamp' },
  );
  for (const [name, header, reason] of [
    ['no key', undefined, 'no key'],
    ['a key that nobody was given', `Bearer ${UNKNOWN_KEY}`, 'unknown key'],
  ] as const) {
    const of = { who: 'v1', ...NOBODY, reason, status: 401, code: 'invalid_api_key' } as const;
    refusals.addChange(`a v1 request with ${name}`, (wire) => withHeader(wire, 'Authorization', header), of);
  }
}

function addDuplicates(refusals: Refusals): void {
  const always = ['Host', 'Content-Type', 'Idempotency-Key'];
  const headers = {
    v1: ['Authorization', 'X-Timestamp', 'X-Nonce', 'X-Signature', ...always],
    v2: ['X-Signature-Version', 'X-Key-Id', 'X-Timestamp', 'X-Nonce', 'X-Signature', ...always],
    hmac: ['Signature', 'Signature-Input', 'Content-Digest', ...always],
  };
  for (const who of ['v1', 'v2', 'hmac'] as const) {
    for (const name of headers[who]) {
      refusals.addChange(
        `a second ${name} beside a signature by ${who}`,
        (wire) => addHeader(wire, name.toLowerCase(), headerOf(wire, name)),
        { who, ...NOBODY, reason: 'duplicate_header', status: 400, code: 'invalid_request' },
      );
    }
    for (const what of ['apiKey', 'secret'] as const) {
      const forge = (all: Signers) => {
        const draft = draftChat(refusals.url, { body: BODY, query: `a=${all[who][what]}` });
        return { wire: sign(all[who], draft), ...NOBODY };
      };
      const expected = { reason: '', status: 400, code: 'secret_in_url' };
      refusals.add(`a query that holds the ${what}, signed by ${who},`, forge, expected);
    }
  }
}
