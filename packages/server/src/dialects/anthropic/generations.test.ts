import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refusalsOf } from './generations.ts';

/** What "Troubleshooting thinking" lists for each model as rejected, with forced tools and messages of the system. */
const TABLE: readonly [string, string][] = [
  ['claude-3-7-sonnet-20250219', 'adaptive systemMessages'],
  ['claude-sonnet-4-20250514', 'adaptive systemMessages'],
  ['claude-opus-4-1-20250805', 'adaptive temperatureWithTopP systemMessages'],
  ['claude-haiku-4-5-20251001', 'adaptive temperatureWithTopP systemMessages'],
  ['claude-opus-4-5', 'adaptive temperatureWithTopP systemMessages'],
  ['claude-sonnet-4-6', 'temperatureWithTopP systemMessages'],
  ['claude-opus-4-6', 'temperatureWithTopP systemMessages'],
  ['claude-opus-4-7', 'budget sampling temperatureWithTopP systemMessages'],
  ['claude-opus-4-8', 'budget sampling temperatureWithTopP'],
  ['claude-sonnet-5', 'budget sampling temperatureWithTopP systemMessages'],
  ['claude-opus-5', 'budget sampling temperatureWithTopP'],
  ['claude-haiku-5-5', 'budget sampling temperatureWithTopP'],
  ['claude-sonnet-5-5', 'budget disabled forcedTools sampling temperatureWithTopP'],
  ['claude-opus-5-5', 'budget disabled forcedTools sampling temperatureWithTopP'],
  ['claude-fable-5', 'budget disabled sampling temperatureWithTopP'],
  ['claude-mythos-5-1', 'budget disabled forcedTools sampling temperatureWithTopP'],
  ['claude-mythos-preview', ''],
  ['claude-next', ''],
  ['', ''],
];

describe('refusalsOf', () => {
  for (const [model, expected] of TABLE) {
    test(`${model} refuses ${expected === '' ? 'nothing that is known' : expected}`, () => {
      const refused = Object.entries(refusalsOf(model)).filter(([, value]) => value === true);
      assert.equal(refused.map(([name]) => name).join(' '), expected);
    });
  }

  test('efforts came one after the other', () => {
    const efforts = (model: string) => refusalsOf(model).efforts.join(' ');
    assert.equal(efforts('claude-opus-5-5'), '');
    assert.equal(efforts('claude-opus-4-6'), 'xhigh');
    assert.equal(efforts('claude-opus-4-5-20251101'), 'xhigh max');
    assert.equal(efforts('claude-sonnet-4-5'), 'low medium high xhigh max');
  });
});
