import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { type ServerResponse, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { rowsOf } from '../control/support.ts';
import { createRandom } from '../seeded-random.ts';
import {
  type Gateway,
  type IssuedKey,
  addModel,
  assertNothingHeld,
  describeGateway,
  issueKey,
  until,
} from './support.ts';

/** `KEYFOLD_TEST_SEED` repeats a run. */
const seed = Number(process.env['KEYFOLD_TEST_SEED'] ?? randomInt(2 ** 31));

/** How many, and how one that is cut off is charged. */
const RUNS = [
  { kind: 'sqlite', policy: 'full', streams: 1_000 },
  { kind: 'postgres', policy: 'full', streams: 200 },
  { kind: 'sqlite', policy: 'streamed', streams: 300 },
] as const;
const AT_ONCE = 40;
const EVENTS = 150;
/** So many that what is counted beside them cannot hide that they are not counted. */
const WORDS_AN_EVENT = 10;
const INPUT_TOKENS = 10;
const OUTPUT_TOKENS_MAX = 8_000;
/** Dollars a million tokens; a thousand nano-dollars a token. */
const PRICE = { input: '1', output: '1' };
const NANOS_PER_TOKEN = 1_000;
const ABORTED_WITHIN_MS = 250;
const EVENT_EVERY_MS = 2;

/** What the stand-in would charge for one call, and when it learnt that nobody listens any more. */
interface Bill {
  tokens: number;
  closedAtMs: number | undefined;
}

for (const { kind, policy, streams } of RUNS) {
  describeGateway(
    `${streams} streams cut at a random byte and charged by policy ${policy}, seed ${seed}`,
    { kinds: [kind] },
    (gateway) => {
      test('are each settled once and never below what was billed, and the provider is told within 250 ms', async (context) => {
        const random = createRandom(seed);
        const bills = new Map<string, Bill>();
        await using provider = await startBillingProvider(bills, random);
        const model = { name: 'cut', ...PRICE, baseUrl: provider.url, streamPolicy: policy };
        await addModel(gateway(), model);
        const key = await issueKey(gateway(), { budgets: { total_usd: '1000000' } });
        const cuts: Cut[] = [];
        let next = 0;
        const work = async () => {
          while (next < streams) {
            const number = next++;
            cuts.push(await cutOne(gateway(), key, { number, random }));
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, work));

        const rows = await until(async () => {
          const all = await allCalls(gateway(), key);
          return all.length >= streams ? all : undefined;
        });
        assert.equal(rows.length, streams);
        assert.equal(new Set(rows.map((row) => row['request_id'])).size, streams);
        await assertNothingHeld(gateway(), key);

        const costs = new Map(rows.map((row) => [row['request_id'], row]));
        const ends = { byClient: 0, byProvider: 0, complete: 0 };
        let slowestMs = 0;
        for (const { number, requestId, leftAtMs } of cuts) {
          const bill = bills.get(`user-${number}`);
          const row = requestId === undefined ? undefined : costs.get(requestId);
          const billed = (bill?.tokens ?? 0) * NANOS_PER_TOKEN;
          if (row !== undefined) {
            const cost = Math.round(Number(row['cost_usd']) * 1e9);
            assert.ok(
              cost >= billed,
              `call ${number} cost ${cost} and was billed ${billed}: ${JSON.stringify(row)}`,
            );
            ends[
              row['error'] === null ? 'complete' : row['error'] === 'client_gone' ? 'byClient' : 'byProvider'
            ]++;
          }
          if (leftAtMs !== undefined && bill?.closedAtMs !== undefined) {
            slowestMs = Math.max(slowestMs, bill.closedAtMs - leftAtMs);
          }
        }
        // A call whose client left before its head has no request id here: the sum tells of those.
        const total = rows.reduce((sum, row) => sum + Math.round(Number(row['cost_usd']) * 1e9), 0);
        const billed = [...bills.values()].reduce((sum, bill) => sum + bill.tokens, 0) * NANOS_PER_TOKEN;
        assert.ok(total >= billed, `${total} < ${billed}`);
        const atHold = rows.filter((row) => row['provenance'] === 'estimated').length;
        const counted = rows.filter((row) => row['provenance'] === 'counted').length;
        assert.equal(counted > 0, policy === 'streamed', `${counted} of ${rows.length} were counted`);
        context.diagnostic(`${counted} counted, ${atHold} charged at the hold`);
        context.diagnostic(`${JSON.stringify(ends)}, told within ${slowestMs.toFixed(1)} ms`);
        assert.ok(slowestMs <= ABORTED_WITHIN_MS, `the provider was told after ${slowestMs} ms`);
        assert.ok(ends.byClient > 0 && ends.byProvider > 0 && ends.complete > 0, JSON.stringify(ends));
      });
    },
  );
}

interface Cut {
  readonly number: number;
  readonly requestId: string | undefined;
  /** When the client went, if it did. */
  readonly leftAtMs: number | undefined;
}

/** One stream, in the provider's dialect or in another, whose client leaves after some bytes or reads to the end. */
async function cutOne(
  { keyfold }: Gateway,
  key: IssuedKey,
  of: { readonly number: number; readonly random: () => number },
): Promise<Cut> {
  const { number, random } = of;
  const leavesAfter = random() < 0.5 ? Math.floor(random() * 30_000) : Infinity;
  const isForeign = random() < 0.4;
  const user = isForeign ? { metadata: { user_id: `user-${number}` } } : { user: `user-${number}` };
  const body = JSON.stringify({
    model: 'cut',
    stream: true,
    max_tokens: OUTPUT_TOKENS_MAX,
    messages: [{ role: 'user', content: 'Hello' }],
    ...user,
  });
  const sent = request(`${keyfold.url}${isForeign ? '/v1/messages' : '/v1/chat/completions'}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key.secret}`, 'content-type': 'application/json' },
  });
  return new Promise((resolve) => {
    let [bytes, requestId, leftAtMs]: [number, string | undefined, number | undefined] = [
      0,
      undefined,
      undefined,
    ];
    const leave = () => {
      leftAtMs = performance.now();
      sent.destroy();
    };
    sent.on('error', () => {});
    sent.on('close', () => resolve({ number, requestId, leftAtMs }));
    sent.on('response', (incoming) => {
      requestId = String(incoming.headers['x-request-id']);
      incoming.on('error', () => {});
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > leavesAfter) leave();
      });
    });
    sent.end(body);
    if (leavesAfter < 60) setTimeout(leave, leavesAfter);
  });
}

/** Streams some words an event and charges for them as they leave; breaks off at a random byte of half of its streams. */
async function startBillingProvider(bills: Map<string, Bill>, random: () => number) {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { user } = JSON.parse(Buffer.concat(chunks).toString()) as { user: string };
      const bill: Bill = { tokens: INPUT_TOKENS, closedAtMs: undefined };
      bills.set(user, bill);
      outgoing.on('close', () => (bill.closedAtMs = performance.now()));
      const breaksAt = random() < 0.4 ? Math.floor(random() * 40_000) : Infinity;
      stream(outgoing, bill, { breaksAt, isEarly: random() < 0.3 });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** `isEarly`: it begins with a report of its input, as some servers do. */
function stream(
  outgoing: ServerResponse,
  bill: Bill,
  { breaksAt, isEarly }: { readonly breaksAt: number; readonly isEarly: boolean },
): void {
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
  let bytes = 0;
  const write = (text: string) => {
    const rest = breaksAt - bytes;
    bytes += text.length;
    if (text.length <= rest) return outgoing.write(text);
    outgoing.write(text.slice(0, Math.max(0, rest)), () => outgoing.destroy());
    return false;
  };
  const event = (fields: object) => `data: ${JSON.stringify({ id: 'c', model: 'cut', ...fields })}\n\n`;
  let sent = 0;
  if (isEarly) {
    const usage = { prompt_tokens: INPUT_TOKENS, completion_tokens: 0, total_tokens: INPUT_TOKENS };
    write(event({ choices: [{ index: 0, delta: { role: 'assistant' }, finish_reason: null }], usage }));
  }
  const timer = setInterval(() => {
    if (outgoing.destroyed) {
      clearInterval(timer);
    } else if (sent < EVENTS) {
      sent++;
      bill.tokens += WORDS_AN_EVENT;
      const delta = { content: ' word'.repeat(WORDS_AN_EVENT) };
      write(event({ choices: [{ index: 0, delta, finish_reason: null }] }));
    } else {
      clearInterval(timer);
      const usage = {
        prompt_tokens: INPUT_TOKENS,
        completion_tokens: EVENTS * WORDS_AN_EVENT,
        total_tokens: INPUT_TOKENS + EVENTS * WORDS_AN_EVENT,
      };
      write(event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }));
      write(event({ choices: [], usage }));
      write('data: [DONE]\n\n');
      if (!outgoing.destroyed) outgoing.end();
    }
  }, EVENT_EVERY_MS);
}

async function allCalls({ keyfold }: Gateway, key: IssuedKey): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  let after = '';
  for (;;) {
    const page = await keyfold.request('GET', `/v1/calls?key_id=${key.id}&limit=100${after}`);
    rows.push(...rowsOf(page));
    if (page.body['has_more'] !== true) return rows;
    after = `&after=${String(page.body['last_id'])}`;
  }
}
