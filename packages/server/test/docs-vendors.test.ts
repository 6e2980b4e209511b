import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { DIALECTS, type Endpoint, type Provider } from '../src/providers/provider.ts';
import { findProvider } from '../src/providers/registry.ts';
import { VENDORS } from '../src/routing/vendors.ts';
import { modelCall } from './model-call.ts';

const CHATS: readonly Endpoint[] = ['chat.completions', 'messages', 'generateContent'];

function readPage(path: string): string {
  return readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8');
}

function chatRequestOf(provider: Provider) {
  const endpoint = CHATS.find((each) => provider.dialects.includes(DIALECTS[each]));
  assert.ok(endpoint);
  return provider.buildRequest(modelCall({ model: 'm', messages: [] }, { endpoint }), 'secret');
}

describe('the documentation of vendors', () => {
  for (const [name, vendor] of VENDORS) {
    const page = readPage(`vendors/${name}.md`);
    const provider = findProvider(vendor.dialect);

    test(`the page of ${name} has its address, every header that is sent, and how it is asked for its models`, () => {
      assert.ok(provider?.models);
      assert.ok(page.includes(`| \`provider\` | \`${name}\` |`));
      if (vendor.baseUrl !== undefined) assert.ok(page.includes(`\`${vendor.baseUrl}\``));
      const asked = provider.models.buildRequest('secret');
      for (const header of Object.keys({ ...chatRequestOf(provider).headers, ...asked.headers })) {
        assert.ok(page.includes(`\`${header}`), header);
      }
      const listed = new RegExp(`\`GET [^\`]*${asked.path.replace('?', '\\?')}\``);
      assert.match(page, listed);
    });

    test(`the page of ${name} says what a stream that was cut off may be charged by`, () => {
      const [first, ...others] = vendor.streamPolicies;
      assert.match(page, new RegExp(`\`stream_policy\`[^]*\`${first}\``));
      for (const policy of others) assert.ok(page.includes(`\`${policy}\` (`), policy);
      assert.equal(page.includes('no other is taken'), others.length === 0);
    });
  }

  test('every vendor stands in the table of providers, with a link to its page', () => {
    const table = readPage('providers.md');
    for (const name of VENDORS.keys()) assert.ok(table.includes(`[\`${name}\`](vendors/${name}.md)`), name);
  });
});
