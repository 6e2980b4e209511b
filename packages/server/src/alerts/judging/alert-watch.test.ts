import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import { ManualClock } from '../../../test/manual-clock.ts';
import type { StoredEvent } from '../../audit/stored-event.ts';
import type { Rule } from '../rule.ts';
import { AlertWatch, type Desk } from './alert-watch.ts';

const RULE: Rule = {
  id: 'arl_1' as Id<'alertRule'>,
  organizationId: 'org_1' as Id<'organization'>,
  name: 'canaries',
  scope: 'organization',
  scopeIds: [],
  when: { kind: 'event', actions: ['canary.used'] },
  webhookIds: [],
  action: { kind: 'none' },
  cooldownS: 600,
  isEnabled: true,
  createdAtMs: 0,
  updatedAtMs: 1,
};

describe('what was found', () => {
  test('and cannot be stored keeps nothing else that was found waiting, and is tried again', async () => {
    const clock = new ManualClock();
    const stored: string[] = [];
    let isBroken = true;
    const link: Desk = {
      isStale: true,
      rules: () => Promise.resolve([RULE]),
      fire: ({ subject }) => {
        if (subject === 'key_2' && isBroken) return Promise.reject(new Error('cannot be stored'));
        stored.push(subject);
        return Promise.resolve();
      },
      remember: () => Promise.resolve(),
    };
    const watch = new AlertWatch({ reader: { read: () => Promise.resolve([]) }, clock, link });
    await watch.refresh();
    for (const target of ['key_1', 'key_2', 'key_3']) {
      const event: StoredEvent = {
        node: 1,
        sequence: Number(target.slice(-1)),
        timeMs: clock.nowMs(),
        action: 'canary.used',
        actor: 'anonymous',
        target,
        decision: 'denied',
        requestId: undefined,
        organizationId: RULE.organizationId,
        address: undefined,
        costUsd: undefined,
        detail: {},
      };
      await watch.observe(event);
    }
    await assert.rejects(watch.settle(), /cannot be stored/);
    assert.deepEqual(stored, ['key_1', 'key_3']);
    isBroken = false;
    assert.equal(await watch.settle(), true);
    assert.deepEqual(stored, ['key_1', 'key_3', 'key_2']);
    assert.equal(await watch.settle(), false);
  });
});
