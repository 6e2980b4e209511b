import assert from 'node:assert/strict';
import { constants, createHash, createHmac, createPrivateKey, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type SignedMessage, requiredComponents } from './components.ts';
import { parseContentDigest, renderContentDigest } from './content-digest.ts';
import {
  type SignatureInput,
  parseSignature,
  parseSignatureInput,
  renderSignature,
  renderSignatureInput,
  signatureBase,
} from './http-signature.ts';

interface Message {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  /** A response has this, and nothing above but headers. */
  readonly status?: number;
}
interface Key {
  readonly algorithm: string;
  readonly secret?: string;
  readonly secret_base64?: string;
  readonly public_pem?: string;
  readonly private_pem?: string;
}
interface Vector {
  readonly key: string;
  readonly signature_input: string;
  readonly signature: string;
  readonly base: string;
}

const rfc = read<{
  keys: Record<string, Key>;
  messages: Record<string, Message>;
  vectors: (Vector & { section: string; label: string; message: string; deterministic: boolean })[];
  transformations: { message: string; verifies: boolean }[];
  query_parameters: { query: string; name: string; value: string }[];
  content_digests: { body: string; sha256: string }[];
}>('rfc9421.json');
const keyfold = read<{
  keys: Record<string, Key>;
  vectors: (Vector & Message & { name: string; key_id: string; timestamp: number; nonce: string })[];
}>('rfc9421-keyfold.json');

const request = toSigned({
  method: 'POST',
  authority: 'Example.com',
  path: '/foo',
  query: 'a=1',
  headers: [['X-Padded', ' \t spaced out\t ']],
  body: '',
});

describe('the test cases of RFC 9421', () => {
  for (const vector of rfc.vectors) {
    const message = find(rfc.messages, vector.message);
    const key = find(rfc.keys, vector.key);
    const signature = find(Object.fromEntries(parseSignature(vector.signature) ?? []), vector.label);
    const isResponse = message.status !== undefined;

    test(`${vector.section}: the published signature holds for the published base`, () => {
      assert.ok(verifies(key, vector.base, signature));
      if (vector.deterministic) assert.deepEqual(signWith(key, vector.base), signature);
    });
    test(`${vector.section}: ${isResponse ? 'a response has no base' : 'the base reproduces'}`, () => {
      const input = parseOne(vector.signature_input);
      assert.equal(input.label, vector.label);
      assert.equal(input.keyid, vector.key);
      assert.equal(input.created, 1_618_884_473);
      assert.equal(signatureBase(input, toSigned(message)), isResponse ? undefined : vector.base);
    });
  }

  for (const { message, verifies: holds } of rfc.transformations) {
    test(`B.4: the signature ${holds ? 'survives' : 'does not survive'} ${message}`, () => {
      const vector = rfc.vectors.find(({ section }) => section === 'B.4');
      assert.ok(vector);
      const base = signatureBase(parseOne(vector.signature_input), toSigned(find(rfc.messages, message)));
      assert.equal(base === vector.base, holds);
    });
  }

  for (const { query, name, value } of rfc.query_parameters) {
    test(`2.2.8: the value of the query parameter ${name}`, () => {
      const input = parseOne(`sig=("@query-param";name="${name}")`);
      const line = signatureBase(input, { ...request, query })?.split('\n')[0];
      assert.equal(line, `"@query-param";name="${name}": ${value}`);
    });
  }

  for (const { body, sha256 } of rfc.content_digests) {
    test('RFC 9530: the published digest reproduces', () => {
      const digest = createHash('sha256').update(body).digest();
      assert.equal(renderContentDigest(digest), sha256);
      assert.deepEqual(parseContentDigest(sha256), new Map([['sha-256', new Uint8Array(digest)]]));
    });
  }
});

describe("Keyfold's profile of RFC 9421", () => {
  for (const vector of keyfold.vectors) {
    test(`the published vector reproduces: ${vector.name}, ${vector.key}`, () => {
      const message = toSigned(vector);
      const raw = renderSignatureInput(
        requiredComponents({
          hasContentType: message.header('content-type') !== undefined,
          hasIdempotencyKey: message.header('idempotency-key') !== undefined,
        }),
        { created: vector.timestamp, nonce: vector.nonce, keyid: vector.key_id, tag: 'keyfold' },
      );
      assert.equal(`keyfold=${raw}`, vector.signature_input);
      const input = parseOne(vector.signature_input);
      assert.equal(signatureBase(input, message), vector.base);
      assert.equal(
        renderSignature('keyfold', signWith(find(keyfold.keys, vector.key), vector.base)),
        vector.signature,
      );
      const digest = createHash('sha256').update(vector.body).digest();
      assert.equal(message.header('content-digest'), renderContentDigest(digest));
    });
  }
});

describe('signature input', () => {
  const text = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    maxLength: 20,
  });
  const seconds = fc.nat(4_000_000_000);

  test('what was rendered comes back', () => {
    const optional = fc.record({ expires: seconds, alg: text }, { requiredKeys: [] });
    const parameters = fc.record({ created: seconds, nonce: text, keyid: text, tag: text });
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 8 }),
        parameters,
        optional,
        (components, parameters, optional) => {
          const raw = renderSignatureInput(components, { ...parameters, ...optional });
          assert.deepEqual(parseSignatureInput(`keyfold=${raw}`), [
            {
              label: 'keyfold',
              components: components.map((name) => ({ name, parameters: new Map() })),
              raw,
              ...parameters,
              ...optional,
            },
          ]);
        },
      ),
    );
  });

  test('a parameter of the wrong type, or a component that is no string, is refused', () => {
    const parameters = [
      'created="1"',
      'created=?1',
      'created',
      'expires=a',
      'nonce=1',
      'keyid=key',
      'alg=ed25519',
      'tag=:AQI=:',
    ];
    for (const parameter of parameters) {
      assert.equal(parseSignatureInput(`sig=("@method");${parameter}`), undefined, parameter);
    }
    for (const component of ['date', '1', '?1', ':AQI=:']) {
      assert.equal(parseSignatureInput(`sig=("@method" ${component})`), undefined, component);
    }
  });

  test('one malformed label refuses the whole header', () => {
    assert.equal(parseSignatureInput('sig1=("@method"), sig2=("@method"'), undefined);
    assert.equal(parseSignatureInput('sig1=("@method"), sig1=("@path")'), undefined);
    assert.equal(parseSignatureInput('sig1=("@method"), sig2=("@path")')?.length, 2);
  });
});

describe('the signature base', () => {
  const base = (components: string, message: SignedMessage = request) =>
    signatureBase(parseOne(`sig=(${components})`), message)
      ?.split('\n')
      .slice(0, -1);

  test('derived components have their values', () => {
    const message = { ...request, scheme: 'HTTPS', targetUri: 'https://example.com/foo?a=1' };
    assert.deepEqual(
      base('"@method" "@authority" "@path" "@query" "@request-target" "@scheme" "@target-uri"', message),
      [
        '"@method": POST',
        '"@authority": example.com',
        '"@path": /foo',
        '"@query": ?a=1',
        '"@request-target": /foo?a=1',
        '"@scheme": https',
        '"@target-uri": https://example.com/foo?a=1',
      ],
    );
    assert.deepEqual(base('"@path" "@query" "@request-target"', { ...request, path: '', query: '' }), [
      '"@path": /',
      '"@query": ?',
      '"@request-target": /',
    ]);
  });

  test('an authority loses the port that its scheme implies, and no other', () => {
    const cases = [
      ['https', 'Example.com:443', 'example.com'],
      ['http', 'example.com:80', 'example.com'],
      ['http', 'example.com:443', 'example.com:443'],
      ['https', 'example.com:8443', 'example.com:8443'],
    ] as const;
    for (const [scheme, authority, expected] of cases) {
      assert.deepEqual(base('"@authority"', { ...request, scheme, authority }), [
        `"@authority": ${expected}`,
      ]);
    }
    assert.deepEqual(base('"@authority"', { ...request, authority: 'example.com:443' }), [
      '"@authority": example.com:443',
    ]);
  });

  test('a header is signed without the blanks around it', () => {
    assert.deepEqual(base('"x-padded"'), ['"x-padded": spaced out']);
  });

  test('there is none over a component that is unknown, absent, repeated or changed by a parameter', () => {
    const refused = [
      '"@status"',
      '"@signature-params"',
      '"@nothing"',
      '"@scheme"',
      '"@target-uri"',
      '"x-absent"',
      '"X-Padded"',
      '""',
      '"a b"',
      '"@method" "@method"',
      '"x-padded" "@path" "x-padded"',
      '"@query-param"',
      '"@query-param";name="b"',
      '"@query-param";name=a',
      '"@query-param";name="a";req',
      '"@method";req',
      '"x-padded";sf',
      '"x-padded";bs',
      '"x-padded";key="a"',
      '"x-padded";tr',
      '"@path";name="a"',
    ];
    for (const components of refused) assert.equal(base(components), undefined, components);
  });

  test('a query parameter that occurs twice has no value, however it is spelled', () => {
    for (const query of ['a=1&a=1', 'a=1&%61=2', 'a&a']) {
      assert.equal(base('"@query-param";name="a"', { ...request, query }), undefined, query);
    }
    assert.deepEqual(base('"@query-param";name="%3Fa"', { ...request, query: '?a=1' }), [
      '"@query-param";name="%3Fa": 1',
    ]);
  });

  test('no value can begin a line of its own, or be spelled in two encodings', () => {
    const character = fc.constantFrom('\r', '\n', '\0', '\u007f', 'é', '\u2028', '\ud800');
    const part = fc.constantFrom<keyof SignedMessage>('method', 'authority', 'path', 'query', 'header');
    fc.assert(
      fc.property(part, character, fc.constantFrom('', 'x'), (part, character, around) => {
        const value = around + character + around;
        const message = {
          ...request,
          header: () => 'plain',
          [part]: part === 'header' ? () => value : value,
        };
        assert.equal(base('"@method" "@authority" "@path" "@query" "x-padded"', message), undefined);
      }),
    );
  });

  test('the parameters cannot begin a line of their own either', () => {
    const components = [{ name: '@method', parameters: new Map() }];
    assert.notEqual(signatureBase({ components, raw: '("@method")' }, request), undefined);
    assert.equal(signatureBase({ components, raw: '("@method")\n"@path": /' }, request), undefined);
  });

  test('a query parameter is spelled as forms are', () => {
    const text = "-._*~!'()/ ";
    const line = base('"@query-param";name="a"', { ...request, query: `a=${text}` });
    assert.deepEqual(line, ['"@query-param";name="a": -._*%7E%21%27%28%29%2F%20']);
  });

  test('whatever the header holds, nothing is thrown', () => {
    const component = fc.oneof(
      fc.constantFrom('"@method"', '"@query-param";name="a"', '"@query-param";name="%"', '"x-padded"'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(component), fc.string(), (components, query) => {
        for (const input of parseSignatureInput(`sig=(${components.join(' ')})`) ?? []) {
          signatureBase(input, { ...request, query });
        }
      }),
    );
  });
});

function read<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8')) as Content;
}

function find<Value>(record: Readonly<Record<string, Value>>, name: string): Value {
  const value = record[name];
  assert.ok(value !== undefined, name);
  return value;
}

function parseOne(header: string): SignatureInput {
  const [input] = parseSignatureInput(header) ?? [];
  assert.ok(input !== undefined, header);
  return input;
}

function toSigned(message: Message): SignedMessage {
  return {
    ...message,
    header(name) {
      const values = message.headers
        .filter(([each]) => each.toLowerCase() === name)
        .map(([, value]) => value);
      return values.length === 0 ? undefined : values.join(', ');
    },
  };
}

function secretOf(key: Key): Buffer {
  return key.secret === undefined ? Buffer.from(key.secret_base64 ?? '', 'base64') : Buffer.from(key.secret);
}

function signWith(key: Key, base: string): Uint8Array {
  if (key.algorithm === 'hmac-sha256') {
    return new Uint8Array(createHmac('sha256', secretOf(key)).update(base).digest());
  }
  return new Uint8Array(sign(null, Buffer.from(base), createPrivateKey(key.private_pem ?? '')));
}

function verifies(key: Key, base: string, signature: Uint8Array): boolean {
  const data = Buffer.from(base);
  const pem = key.public_pem ?? '';
  switch (key.algorithm) {
    case 'hmac-sha256':
      return Buffer.from(signWith(key, base)).equals(signature);
    case 'ed25519':
      return verify(null, data, pem, signature);
    case 'ecdsa-p256-sha256':
      return verify('sha256', data, { key: pem, dsaEncoding: 'ieee-p1363' }, signature);
    default:
      return verify(
        'sha512',
        data,
        { key: pem, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
        signature,
      );
  }
}
