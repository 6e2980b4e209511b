import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type RealServer, startRealServer } from '../../test/real-server.ts';

let real: RealServer;
before(async () => {
  real = await startRealServer();
});
after(async () => {
  await real[Symbol.asyncDispose]();
});

const SPIKE = ['--kind', 'spend_spike', '--multiple', '20', '--min-usd', '5', '--window-s', '60'];

describe('keyfold alerts and webhooks', () => {
  test('a webhook is made with its secret printed once, and tells of a rule by its name', async () => {
    const made = await real.run(['webhooks', 'create', 'pager', 'https://example.org/hooks']);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /^Made webhook whk_\w+ \(pager\)[^]*whsec_/);
    assert.doesNotMatch((await real.run(['webhooks', 'list'])).stdout, /whsec_/);
    const flags = [...SPIKE, '--suspend', '--webhook', 'pager'];
    const rule = await real.run(['alerts', 'rules', 'create', 'runaway', ...flags]);
    assert.equal(rule.code, 0, rule.stderr);
    assert.match(rule.stdout, /^Made rule arl_\w+ \(runaway\)\.$/m);
    const { stdout } = await real.run(['alerts', 'rules', 'list']);
    assert.match(stdout, /runaway +spend_spike multiple=20 min_usd=5\.00 window_seconds=60 +organization/);
    assert.match(stdout, /suspend +whk_\w+/);
    const held = await real.run(['webhooks', 'delete', 'pager', '--yes']);
    assert.notEqual(held.code, 0);
    assert.equal((await real.run(['alerts', 'rules', 'delete', 'runaway', '--yes'])).code, 0);
    assert.equal((await real.run(['webhooks', 'delete', 'pager', '--yes'])).code, 0);
    const none = await real.run(['alerts', 'rules', 'delete', 'runaway', '--yes']);
    assert.equal(none.code, 4);
    assert.match(none.stderr, /keyfold alerts rules list/);
  });

  test('a rule takes what its kind needs and nothing else', async () => {
    const create = (...flags: readonly string[]) => real.run(['alerts', 'rules', 'create', 'r', ...flags]);
    const missing = await create('--kind', 'spend_spike', '--multiple', '20', '--window-s', '60');
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /needs --min-usd/);
    const odd = await create('--kind', 'first_seen_model', '--usd', '5');
    assert.equal(odd.code, 2);
    assert.match(odd.stderr, /has no --usd/);
    assert.equal((await create(...SPIKE, '--suspend', '--throttle', '3')).code, 2);
    assert.equal((await create(...SPIKE, '--key', 'key_1', '--project', 'prj_1')).code, 2);
  });

  test('firings are listed, and a key that no rule has stopped is not resumed', async () => {
    assert.match((await real.run(['alerts', 'firings'])).stdout, /No rule has fired/);
    const key = await real.runJson(['keys', 'create', '--permissions', 'chat', '--json']);
    const resumed = await real.run(['keys', 'resume', String(key['id'])]);
    assert.notEqual(resumed.code, 0);
    assert.match(resumed.stderr, /No alert rule/);
  });
});
