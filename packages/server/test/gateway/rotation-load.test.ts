import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { setTimeout as at } from 'node:timers/promises';
import { createKey, describeOnEachDatabase, textAt } from '../control/support.ts';

const CALLS_PER_SECOND = 200;
const ROTATIONS = 10;
const GRACE_S = 2;
/** Between two rotations: the grace, and a little for the one before to be over. */
const PAUSE_MS = GRACE_S * 1_000 + 300;
const BODY = JSON.stringify({
  model: 'sandbox/echo',
  max_tokens: 5,
  messages: [{ role: 'user', content: 'Hello' }],
});

interface Observed {
  readonly version: number;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly status: number;
}

describeOnEachDatabase('rotation under load', (keyfold) => {
  test(`${CALLS_PER_SECOND} calls a second through ${ROTATIONS} rotations with ${GRACE_S} s of grace: none is refused within its grace, none passes later than a second after`, async () => {
    const key = await createKey(keyfold());
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    /** When each version was replaced, and until when it was promised to work. */
    const replacedMs: number[] = [];
    const secrets = [textAt(key, 'api_key')];
    const running: Promise<Observed>[] = [];
    const startMs = performance.now();
    const rotating = { isOver: false };

    const load = async () => {
      for (let sent = 0; !rotating.isOver; sent++) {
        await at(Math.max(0, startMs + (sent * 1_000) / CALLS_PER_SECOND - performance.now()));
        // Holders are slow to learn: most still send the version before the newest, and one in ten an older one yet.
        const behind = sent % 10 === 0 ? 2 : 1;
        const version = Math.max(1, secrets.length - (sent % 3 === 0 ? 0 : behind));
        running.push(call(keyfold().url, agent, { version, key: secrets[version - 1] ?? '' }));
      }
    };
    const rotate = async () => {
      for (let rotation = 0; rotation < ROTATIONS; rotation++) {
        const answer = await keyfold().request('POST', `/v1/keys/${textAt(key, 'id')}/rotate`, {
          grace_seconds: GRACE_S,
        });
        assert.equal(answer.status, 200, answer.text);
        // The promise is given before its answer arrives; what is counted from here is a little longer.
        replacedMs.push(performance.now());
        secrets.push(textAt(answer, 'new_api_key'));
        await at(PAUSE_MS);
      }
      rotating.isOver = true;
    };
    await Promise.all([load(), rotate()]);
    const observed = await Promise.all(running);
    agent.destroy();

    const roundTripMs = 50;
    const endOf = (version: number) => (replacedMs[version - 1] ?? Infinity) + GRACE_S * 1_000;
    const refusedEarly = observed.filter(
      ({ status, version, answeredMs }) => status !== 200 && answeredMs < endOf(version) - roundTripMs,
    );
    const acceptedLate = observed.filter(
      ({ status, version, sentMs }) => status === 200 && sentMs > endOf(version) + 1_000,
    );
    const late = observed.filter(({ version, sentMs }) => sentMs > endOf(version));
    assert.deepEqual(refusedEarly.slice(0, 3), []);
    assert.deepEqual(acceptedLate.slice(0, 3), []);
    assert.ok(late.length > 100, `only ${late.length} calls tried a version that was over`);
    assert.ok(observed.length > CALLS_PER_SECOND * 20, `only ${observed.length} calls were made`);
    assert.deepEqual([...new Set(observed.map(({ status }) => status))].sort(), [200, 401]);
  });
});

function call(
  url: string,
  agent: Agent,
  of: { readonly version: number; readonly key: string },
): Promise<Observed> {
  const sentMs = performance.now();
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      `${url}/v1/chat/completions`,
      {
        agent,
        method: 'POST',
        headers: { authorization: `Bearer ${of.key}`, 'content-type': 'application/json' },
      },
      (response) => {
        response.resume();
        response.on('end', () =>
          resolve({
            version: of.version,
            sentMs,
            answeredMs: performance.now(),
            status: response.statusCode ?? 0,
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(BODY);
  });
}
