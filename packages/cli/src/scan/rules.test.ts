import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { SECRET_PATTERN, displaySecret } from '@keyfold/protocol';
import { FORMS, createDraw, drawSecrets } from '../../test/planted-secrets.ts';
import { fingerprintOf, redactSecrets, toFinding } from './finding.ts';
import { looksRandom } from './looks-random.ts';
import { RULES, SECRET_CHARACTERS_MAX } from './rules.ts';
import { type Match, TextScanner } from './text-scanner.ts';

const DOCS = new URL('../../../../docs/', import.meta.url);
const secrets = drawSecrets(createDraw(11), 10 * FORMS.length);
const keyfoldSecrets = secrets.filter(({ rule }) => rule.startsWith('keyfold-'));

describe('rules', () => {
  test('each finds the secrets of its form, whole, and no other does', () => {
    for (const { rule, secret } of secrets) {
      const [match, ...others] = scan(`"${secret}"`);
      assert.equal(match?.rule.id, rule);
      assert.equal(match?.secret, secret);
      assert.deepEqual(others, []);
      assert.ok(secret.length <= SECRET_CHARACTERS_MAX);
    }
    assert.deepEqual([...new Set(secrets.map(({ rule }) => rule))].sort(), RULES.map(({ id }) => id).sort());
  });

  test('no prefix is the beginning of another: the search would stop at the shorter', () => {
    const prefixes = [...new Set(RULES.map(({ prefix }) => prefix))];
    for (const prefix of prefixes)
      assert.deepEqual(
        prefixes.filter((other) => other.startsWith(prefix)),
        [prefix],
      );
  });

  test('docs/cli.md has them all', () => {
    const page = readFileSync(new URL('cli.md', DOCS), 'utf8');
    for (const { id } of RULES) assert.ok(page.includes(`\`${id}\``), id);
  });

  test("a Keyfold secret is shown as Keyfold shows it; others show their vendor's prefix", () => {
    for (const { secret } of keyfoldSecrets) assert.equal(display(secret), displaySecret(secret));
    for (const { secret } of secrets) {
      const shown = display(secret);
      assert.match(shown, /^[\w.-]{4,26}…[\w+/=-]{4}$/);
      assert.ok(shown.length < secret.length);
    }
  });

  test('a fingerprint is 16 characters of SHA-256 of rule and secret', () => {
    const [{ rule: id, secret } = { rule: '', secret: '' }] = secrets;
    const [match] = scan(secret);
    assert.ok(match);
    const expected = createHash('sha256').update(`${id}:${secret}`).digest('hex').slice(0, 16);
    assert.equal(fingerprintOf(match), expected);
  });

  test('a secret in the name of a file is not shown either', () => {
    for (const { secret } of keyfoldSecrets)
      assert.equal(redactSecrets(`dir/${secret}.txt`), `dir/${display(secret)}.txt`);
    assert.equal(redactSecrets('dir/näme.txt'), 'dir/näme.txt');
  });
});

describe('looksRandom', () => {
  test('what a person writes to fill a place does not', () => {
    for (const text of [
      'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      '0000000000000000000000000000000a',
      'abababababababababababababababab',
      'abcdefghijklmnopqrstuvwxyz012345',
      'AbCdEfGhIjKlMnOpQrStUvWxYz012345',
      'a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6',
      '1234567890123456789012345678901234',
      'IOSFODNN7EXAMPLE',
      'your-api-key-goes-here-1f8a3c9d2e7b',
      '9f2c-placeholder-4b7d1e8a5c3f6d0e2b',
    ])
      assert.equal(looksRandom(text), false, text);
  });
});

describe('rules for other scanners', () => {
  const gitleaks = readFileSync(new URL('scanners/gitleaks.toml', DOCS), 'utf8');
  const github = readFileSync(new URL('scanners/github-custom-pattern.md', DOCS), 'utf8');

  test('gitleaks: one rule for each kind finds its secrets, and no other', () => {
    const rules = gitleaks.split('[[rules]]').slice(1).map(readRule);
    assert.deepEqual(
      rules.map(({ id }) => id),
      RULES.map(({ id }) => id).filter((id) => id.startsWith('keyfold-')),
    );
    for (const { rule, secret } of keyfoldSecrets) {
      const finders = rules.filter(({ regex }) => regex.exec(`key = "${secret}"`)?.[1] === secret);
      assert.deepEqual(
        finders.map(({ id }) => id),
        [rule],
      );
      assert.ok(finders[0] && secret.toLowerCase().includes(finders[0].keyword));
      assert.ok(finders[0] && entropyBits(secret) > finders[0].entropy);
      assert.equal(secret.match(SECRET_PATTERN)?.[0], secret);
      for (const wrong of [`x${secret}`, `${secret}0`, secret.slice(0, -1)]) {
        assert.equal(rules.filter(({ regex }) => regex.test(wrong)).length, 0);
        assert.equal(wrong.match(SECRET_PATTERN), null);
      }
    }
  });

  test('GitHub: the fields together find every secret, and the test string has one', () => {
    const field = (name: string): string => {
      const text = new RegExp(`\\*\\*${name}\\*\\*[^\`]*\`\`\`\n([^\n]+)\n\`\`\``).exec(github)?.[1];
      assert.ok(text, name);
      return text;
    };
    const [before, after] = ['Before secret', 'After secret'].map((name) =>
      field(name).replace('\\A', '^').replace('\\z', '$'),
    );
    const pattern = new RegExp(`(?:${before})(${field('Secret format')})(?:${after})`);
    const unwanted = new RegExp(field('Additional match requirements'));
    for (const { secret } of keyfoldSecrets) {
      for (const text of [secret, `key: ${secret}\n`, `"${secret}"`, `-${secret}-`])
        assert.equal(pattern.exec(text)?.[1], secret);
      for (const text of [`x${secret}`, `_${secret}`, `${secret}0`, `${secret}_`, secret.slice(0, -1)])
        assert.equal(pattern.test(text), false);
      assert.equal(unwanted.test(secret), false);
    }
    const [example] = scan(field('Test string'));
    assert.equal(pattern.exec(field('Test string'))?.[1], example?.secret);
    assert.ok(unwanted.test(`kf_live_${'x'.repeat(49)}`));
  });
});

interface GitleaksRule {
  readonly id: string;
  readonly regex: RegExp;
  readonly entropy: number;
  readonly keyword: string;
}

function readRule(section: string): GitleaksRule {
  const read = (pattern: RegExp): string => pattern.exec(section)?.[1] ?? '';
  return {
    id: read(/^id = "(.+)"$/m),
    regex: new RegExp(read(/^regex = '''(.+)'''$/m)),
    entropy: Number(read(/^entropy = (.+)$/m)),
    keyword: read(/^keywords = \["(.+)"\]$/m),
  };
}

function scan(text: string): readonly Match[] {
  const scanner = new TextScanner();
  scanner.write(Buffer.from(text));
  return scanner.end();
}

function display(secret: string): string {
  const [match] = scan(secret);
  assert.ok(match);
  return toFinding({ path: 'x' }, match).secret;
}

function entropyBits(text: string): number {
  return [...new Set(text)]
    .map((character) => (text.split(character).length - 1) / text.length)
    .reduce((bits, share) => bits - share * Math.log2(share), 0);
}
