import {
  BODY,
  DOES_NOT_HOLD,
  LATE,
  MALFORMED,
  type Named,
  type Signers,
  change,
  describeRefusals,
} from './refusals.ts';
import {
  type Signer,
  addHeader,
  digestOf,
  draftChat,
  newNonce,
  rawPublicKey,
  sign,
  withHeader,
} from './support.ts';

const NOBODY = { named: 'nobody' } as const;
const COMPONENTS = ['"@method"', '"@authority"', '"@path"', '"@query"', '"content-type"', '"content-digest"'];
const TOO_LITTLE = 'does not cover what it must';
const NO_TAG = 'not one signature with the tag';
const INCOMPLETE = 'incomplete signature';
const WRONG_DIGEST = 'content digest does not hold';

describeRefusals('a request by RFC 9421 that is not signed exactly as it must be', (refusals) => {
  for (const who of ['hmac', 'ed25519'] as const) {
    const by = (what: string) => `a signature by ${who} ${what}`;
    for (const component of COMPONENTS) {
      const components = COMPONENTS.filter((each) => each !== component);
      refusals.addDraft(by(`that does not cover ${component}`), () => ({ components }), {
        who,
        reason: TOO_LITTLE,
      });
    }
    const coverages: readonly [string, readonly string[], string][] = [
      ['over nothing', [], TOO_LITTLE],
      ['over content-digest;sf', [...COMPONENTS.slice(0, -1), '"content-digest";sf'], TOO_LITTLE],
      ['over content-digest;bs', [...COMPONENTS.slice(0, -1), '"content-digest";bs'], TOO_LITTLE],
      ['over content-digest;req', [...COMPONENTS.slice(0, -1), '"content-digest";req'], TOO_LITTLE],
      ['over content-digest;tr', [...COMPONENTS.slice(0, -1), '"content-digest";tr'], TOO_LITTLE],
      ['over @method;req', ['"@method";req', ...COMPONENTS.slice(1)], TOO_LITTLE],
      ['over a header that is not sent', [...COMPONENTS, '"x-absent"'], 'cannot be signed'],
      ['over a component twice', [...COMPONENTS, '"@method"'], 'cannot be signed'],
      ['over a component of answers', [...COMPONENTS, '"@status"'], 'cannot be signed'],
      ['over a component that there is not', [...COMPONENTS, '"@nothing"'], 'cannot be signed'],
      ['over @scheme, which a proxy may change', [...COMPONENTS, '"@scheme"'], 'cannot be signed'],
      ['over its own parameters', [...COMPONENTS, '"@signature-params"'], 'cannot be signed'],
    ];
    for (const [name, components, reason] of coverages) {
      refusals.addDraft(by(name), () => ({ components }), { who, reason });
    }
    refusals.addDraft(
      by('that does not cover the Idempotency-Key that is sent'),
      () => ({ components: COMPONENTS, idempotencyKey: 'idem-1' }),
      { who, reason: TOO_LITTLE },
    );

    const parameters: readonly [string, Record<string, string | undefined>, string, Named][] = [
      ['with another tag', { tag: '"other"' }, NO_TAG, 'nobody'],
      ['without a tag', { tag: undefined }, NO_TAG, 'nobody'],
      ['with its tag in capitals', { tag: '"Keyfold"' }, NO_TAG, 'nobody'],
      ['without a nonce', { nonce: undefined }, INCOMPLETE, 'nobody'],
      ['without its time', { created: undefined }, INCOMPLETE, 'nobody'],
      ['without a keyid', { keyid: undefined }, INCOMPLETE, 'nobody'],
      ['with a nonce of 15 characters', { nonce: `"${'a'.repeat(15)}"` }, 'malformed nonce', 'nobody'],
      ['with a nonce of 65 characters', { nonce: `"${'a'.repeat(65)}"` }, 'malformed nonce', 'nobody'],
      ['with a nonce that ends in a blank', { nonce: `"${'a'.repeat(16)} "` }, 'malformed nonce', 'nobody'],
      ['with a nonce that is a token', { nonce: 'a'.repeat(16) }, MALFORMED, 'nobody'],
      ['with its time as a string', { created: '"1700000000"' }, MALFORMED, 'nobody'],
      ['with a fraction of a second', { created: '1700000000.0' }, MALFORMED, 'nobody'],
      ['with a leading zero in its time', { created: '01700000000' }, MALFORMED, 'nobody'],
      ['with two times', { created: '1700000000;created=1700000000' }, MALFORMED, 'nobody'],
      ['with its time in milliseconds', { created: String(Date.now()) }, LATE, who],
      ['with a negative time', { created: '-1' }, LATE, who],
      ['with an algorithm that there is not', { alg: '"none"' }, DOES_NOT_HOLD, who],
      ['with an algorithm for RSA', { alg: '"rsa-v1_5-sha256"' }, DOES_NOT_HOLD, who],
      ['with an empty algorithm', { alg: '""' }, DOES_NOT_HOLD, who],
      [
        'with the algorithm of other keys',
        { alg: who === 'hmac' ? '"ed25519"' : '"hmac-sha256"' },
        DOES_NOT_HOLD,
        who,
      ],
    ];
    for (const [name, changed, reason, named] of parameters) {
      refusals.addDraft(by(name), () => ({ parameters: changed }), { who, named, reason });
    }

    const digests: readonly [string, string][] = [
      ['of another body', digestOf(`${BODY} `)],
      ['by SHA-512 alone', 'sha-512=:AAAA:'],
      ['that is cut short', 'sha-256=:AAAA:'],
      ['in hexadecimal digits', `sha-256=${'0'.repeat(64)}`],
      ['twice', `${digestOf(BODY)}, ${digestOf(BODY)}`],
      ['by a name in capitals', digestOf(BODY).replace('sha', 'SHA')],
      ['that is empty', ''],
    ];
    for (const [name, contentDigest] of digests) {
      const of = { who, reason: WRONG_DIGEST };
      refusals.addDraft(by(`with a digest ${name}`), () => ({ contentDigest }), of);
    }
    refusals.addChange(
      by('with its digest taken away'),
      (wire) => withHeader(wire, 'Content-Digest', undefined),
      { who, reason: WRONG_DIGEST },
    );
    const rewritten = Buffer.from(JSON.stringify(JSON.parse(BODY), undefined, 1));
    refusals.addChange(
      by('with a body that was parsed and written again'),
      (wire) => ({ ...wire, body: rewritten }),
      { who, reason: WRONG_DIGEST },
    );
    refusals.addChange(
      by('with a body that was written again, and its own digest'),
      (wire) => withHeader({ ...wire, body: rewritten }, 'Content-Digest', digestOf(rewritten)),
      { who, reason: DOES_NOT_HOLD },
    );
    refusals.addChange(
      by('with the Idempotency-Key taken away'),
      (wire) => withHeader(wire, 'Idempotency-Key', undefined),
      { who, reason: 'cannot be signed' },
    );
    refusals.addChange(
      by('with the Content-Type taken away'),
      (wire) => withHeader(wire, 'Content-Type', undefined),
      { who, reason: 'cannot be signed' },
    );

    for (const header of ['Signature', 'Signature-Input']) {
      for (const value of [undefined, '', 'keyfold', 'keyfold=?1']) {
        refusals.addChange(
          by(`with ${value === undefined ? 'no' : `'${value}' as`} ${header}`),
          (wire) => withHeader(wire, header, value),
          { who, ...NOBODY, reason: MALFORMED },
        );
      }
    }
    const bytes = who === 'hmac' ? 32 : 64;
    for (const [name, to] of [
      ['that is cut short', (of: Buffer) => of.subarray(0, -1)],
      ['with a byte more', (of: Buffer) => Buffer.concat([of, Buffer.alloc(1)])],
      ['of no bytes', () => Buffer.alloc(0)],
      ['of nothing but zeros', () => Buffer.alloc(bytes)],
      [
        'with its last byte changed',
        (of: Buffer) => Buffer.concat([of.subarray(0, -1), Buffer.of(of.at(-1) === 0 ? 1 : 0)]),
      ],
    ] as const) {
      const rewrite = change('Signature', (text) => {
        const signature = Buffer.from(text.slice('keyfold=:'.length, -1), 'base64');
        return `keyfold=:${to(signature).toString('base64')}:`;
      });
      refusals.addChange(by(name), rewrite, { who, reason: DOES_NOT_HOLD });
    }
    refusals.addChange(
      by('under another label than its input'),
      change('Signature', (text) => text.replace('keyfold', 'other')),
      { who, ...NOBODY, reason: INCOMPLETE },
    );
    const twice = (text: string) => `${text}, ${text.replace('keyfold', 'more')}`;
    refusals.addChange(
      by('beside another one for Keyfold'),
      (wire) => change('Signature', twice)(change('Signature-Input', twice)(wire)),
      { who, ...NOBODY, reason: NO_TAG },
    );
    refusals.addChange(
      by('with a nonce in a header of its own'),
      (wire) => addHeader(wire, 'X-Nonce', newNonce()),
      { who, ...NOBODY, reason: 'several schemes' },
    );
  }

  for (const alg of ['"hmac-sha256"', undefined]) {
    const forge = (all: Signers) => {
      const parameters = alg === undefined ? {} : { alg };
      const draft = draftChat(refusals.url, { body: BODY, parameters });
      const { privateKey } = all.ed25519;
      const secret = privateKey === undefined ? '' : rawPublicKey(privateKey);
      const forger: Signer = { ...all.ed25519, scheme: 'rfc9421 hmac', privateKey: undefined, secret };
      return { wire: sign(forger, draft), named: 'ed25519' } as const;
    };
    refusals.add(
      `a MAC with the public key as its secret, ${alg === undefined ? 'with' : 'and with'} ${alg ?? 'no'} alg,`,
      forge,
      { reason: DOES_NOT_HOLD },
    );
  }
});
