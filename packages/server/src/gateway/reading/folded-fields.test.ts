import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import { JsonObjectScan } from '../../kernel/json-scan.ts';
import { DIALECTS, type Endpoint } from '../../providers/provider.ts';
import { findProvider } from '../../providers/registry.ts';
import { findFolded } from './folded-fields.ts';
import { parseCall } from './parse-call.ts';
import type { ParsedCall } from './parsed-call.ts';
import { isForm } from './parse-form.ts';
import { findForbidden } from './passed-on.ts';
import { Denial } from '../../kernel/denial.ts';

const foldedIn = (body: string | object) => findFolded(modelCall(body).scan)?.detail.param;
const parse = (endpoint: Endpoint, body: string) =>
  parseCall({ endpoint, model: undefined }, { body: Buffer.from(body), query: '' });

describe('fields in another case', () => {
  test('a second model, limit or number of answers is refused by name, whatever its case', () => {
    const body = { model: 'cheap', max_tokens: 5 };
    for (const name of ['Model', 'MODEL', 'MAX_TOKENS', 'N', 'Stream', 'Best_Of', 'Models']) {
      assert.equal(foldedIn({ ...body, [name]: 1 }), name);
    }
    const call = parse('chat.completions', '{"model":"m","messages":[],"Model":"dear"}');
    assert.ok(call instanceof Denial);
    assert.deepEqual([call.code, call.detail.param], ['invalid_request', 'Model']);
    assert.match(call.detail.message ?? '', /taken for 'model'/);
  });

  test('letters beyond ASCII that fold to ASCII, and capitals written as escapes, are seen', () => {
    for (const name of ['ſtream', 'max_tokenſ', 'max_to\u212Aens', 'meſſages']) {
      assert.equal(foldedIn({ model: 'm', [name]: 1 }), name);
    }
    assert.equal(foldedIn('{"model":"m","\\u004dodel":"x"}'), 'Model');
    assert.equal(foldedIn('{"model":"m","\\u017ftream":true}'), 'ſtream');
  });

  test('so they are in stream_options', () => {
    const of = (options: object) => foldedIn({ model: 'm', stream_options: options });
    assert.equal(of({ Include_Usage: false }), 'stream_options.Include_Usage');
    assert.equal(of({ include_usage: true, includeUsage: true, Other: 1 }), undefined);
  });

  test('what folds to no field that is read passes, and so does a field in its own case', () => {
    for (const name of ['topP', 'X', 'é', 'İ', 'mödel', 'providerOptions', 'max_tokens', '\u006dodel2']) {
      assert.equal(foldedIn({ [name]: 1 }), undefined, name);
    }
  });

  test('no field is read that is not known here', () => {
    const read = new Set<string>();
    const field = Reflect.get(JsonObjectScan.prototype, 'field');
    const inner = new Set(['include_usage', 'comparison_response_id']);
    JsonObjectScan.prototype.field = function (name) {
      if (!inner.has(name)) read.add(name);
      return Reflect.apply(field, this, [name]);
    };
    try {
      const body = '{"model":"m","stream":true,"messages":[],"prompt":"x","input":"x"}';
      for (const endpoint of Object.keys(DIALECTS) as Endpoint[]) {
        if (DIALECTS[endpoint] !== 'openai' || isForm(endpoint)) continue;
        const call = parse(endpoint, body) as ParsedCall;
        for (const id of ['openai', 'openai-compatible', 'deepseek']) {
          const provider = findProvider(id);
          if (provider?.endpoints.includes(endpoint) !== true) continue;
          findForbidden(call, provider);
          provider.buildRequest({ ...call, upstreamModel: 'm', outputTokensCap: 1 }, 's');
        }
      }
    } finally {
      JsonObjectScan.prototype.field = field;
    }
    assert.ok(read.size > 20, [...read].join());
    for (const name of read) {
      assert.equal(foldedIn({ [name.toUpperCase()]: 1 }), name.toUpperCase());
    }
  });
});
