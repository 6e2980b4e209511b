import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { startMockProvider } from '../mock-provider.ts';
import { adminOf, createRandom, query } from '../signing/support.ts';
import { MODEL, addModel, chatBody, issueKey, until } from './support.ts';
import { effort } from '../../../../test/effort.ts';

const [SQLITE, POSTGRES] = DATABASE_KINDS as readonly [DatabaseKind, DatabaseKind];
const KILLS = { sqlite: effort(5, 12), postgres: effort(3, 6) } as const;
const TIMEOUT_MS = 480_000;
const WORKERS = 12;
const FREE_WITHIN_MS = { alone: 5_000, besideAnother: 90_000 } as const;
/** Of the calls that were answered before a kill, so many of the last are asked for again. */
const ASKED_AGAIN = 40;

/** `KEYFOLD_TEST_SEED` repeats a run. */
const seed = Number(process.env['KEYFOLD_TEST_SEED'] ?? randomInt(2 ** 31));

for (const kind of DATABASE_KINDS) {
  describe(`idempotent calls to a process that is killed ${KILLS[kind.name]} times, on ${kind.name}, seed ${seed}`, () => {
    test(
      'are made once if they were answered; if not, the next request has the kept answer or makes one new call',
      { timeout: TIMEOUT_MS },
      async (context) => {
        await using provider = await startCounting();
        await using keyfold = await createKeyfoldProcess(kind);
        await keyfold.start();
        const admin = { provider, keyfold: adminOf(keyfold) };
        await addModel(admin, { name: MODEL, input: '1', output: '2' });
        const { secret } = await issueKey(admin, { budgets: { total_usd: '1000' } });
        const random = createRandom(seed);
        const totals = { answered: 0, unanswered: 0, kept: 0, slowestMs: 0 };
        for (let kill = 0; kill < KILLS[kind.name]; kill++) {
          const load = startLoad({ url: keyfold.url, secret, prefix: `kill-${kill}` });
          await afterMs(30 + random() * 250);
          await keyfold.signal('SIGKILL');
          const { answered, unanswered } = await load;
          await keyfold.start();
          const startMs = Date.now();
          await until(async () => ((await countUnderWay(keyfold)) === 0 ? true : undefined));
          totals.slowestMs = Math.max(totals.slowestMs, Date.now() - startMs);
          const again = (name: string) => send({ url: keyfold.url, secret, name });
          const checkAnswered = async (name: string, text: string) => {
            assert.deepEqual(await again(name), { status: 200, isReplayed: true, text }, name);
            assert.equal(provider.callsOf(name), 1, `${name} was made again`);
          };
          const checkUnanswered = async (name: string) => {
            const before = provider.callsOf(name);
            const repeat = await again(name);
            assert.equal(repeat.status, 200, `${name}: ${repeat.text}`);
            assert.ok(before <= 1, `${name} was made ${before} times for one request`);
            assert.equal(provider.callsOf(name), repeat.isReplayed ? 1 : before + 1, name);
            assert.equal((await again(name)).text, repeat.text);
            totals.kept += repeat.isReplayed ? 1 : 0;
          };
          await Promise.all([
            ...[...answered].slice(-ASKED_AGAIN).map(([name, text]) => checkAnswered(name, text)),
            ...unanswered.map((name) => checkUnanswered(name)),
          ]);
          totals.answered += answered.size;
          totals.unanswered += unanswered.length;
        }
        context.diagnostic(
          `${KILLS[kind.name]} kills: ${totals.answered} answered, ${totals.unanswered} not, of those ${totals.kept} kept; ` +
            `nothing in flight ${totals.slowestMs} ms after it listened, at the latest`,
        );
        assert.ok(totals.unanswered > KILLS[kind.name], 'the load was too light to leave calls under way');
        assert.ok(totals.slowestMs <= FREE_WITHIN_MS.alone, `in flight for ${totals.slowestMs} ms`);
      },
    );
  });
}

describe('two processes on one PostgreSQL', () => {
  test(
    'see what the other serves; a call whose process died is free again when its reservation is recovered',
    { timeout: TIMEOUT_MS },
    async (context) => {
      await using provider = await startMockProvider();
      await using first = await createKeyfoldProcess(POSTGRES);
      await first.start();
      await using second = await createKeyfoldProcess(SQLITE);
      await second.start({
        KEYFOLD_DATABASE_URL: String(first.databaseUrl),
        KEYFOLD_ROOT_KEY_FILE: join(first.dataDir, 'root.key'),
      });
      const admin = { provider, keyfold: adminOf(first) };
      await addModel(admin, { name: MODEL, input: '1', output: '2' });
      const { secret } = await issueKey(admin);
      const ask = ({ url }: KeyfoldProcess, name: string) => send({ url, secret, name });

      const known = await ask(first, 'answered-by-the-first');
      assert.deepEqual(await ask(second, 'answered-by-the-first'), { ...known, isReplayed: true });

      const sent = provider.calls.length;
      provider.script({ kind: 'hang' });
      const lost = ask(first, 'lost-with-the-first').catch(() => undefined);
      await provider.arrived(sent + 1);
      assert.equal((await ask(second, 'lost-with-the-first')).status, 409);
      await first.signal('SIGKILL');
      await lost;
      const diedMs = Date.now();
      const answer = await until(async () => {
        const repeat = await ask(second, 'lost-with-the-first');
        return repeat.status === 409 ? undefined : repeat;
      }, FREE_WITHIN_MS.besideAnother);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.isReplayed, false);
      assert.equal(provider.calls.length, sent + 2);
      context.diagnostic(`free ${Date.now() - diedMs} ms after its process was killed`);
    },
  );
});

interface Counting extends AsyncDisposable {
  readonly url: string;
  /** How often this was asked. */
  callsOf(name: string): number;
}

/** A provider whose answers say what was asked, and for the how many-th time. */
async function startCounting(): Promise<Counting> {
  const counts = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
        stream?: boolean;
        messages: { content: string }[];
      };
      const name = body.messages[0]?.content ?? '';
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      const content = `${name} #${count}`;
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
      // Some time passes, so that the process dies while it waits, too.
      setTimeout(() => {
        if (body.stream !== true) {
          const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
          outgoing.writeHead(200, { 'content-type': 'application/json' });
          outgoing.end(JSON.stringify({ choices, usage }));
          return;
        }
        const choices = [{ index: 0, delta: { content }, finish_reason: 'stop' }];
        outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
        outgoing.write(`data: ${JSON.stringify({ choices })}\n\n`);
        outgoing.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
      }, randomInt(10));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    callsOf: (name) => counts.get(name) ?? 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Sent {
  readonly status: number;
  readonly isReplayed: boolean;
  readonly text: string;
}

/** What is asked follows from the name: a repeat is the same request. Throws when the answer does not come whole. */
async function send(of: {
  readonly url: string;
  readonly secret: string;
  readonly name: string;
}): Promise<Sent> {
  const stream = of.name.endsWith('s');
  const response = await fetch(`${of.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${of.secret}`,
      'content-type': 'application/json',
      'idempotency-key': of.name,
    },
    body: JSON.stringify(chatBody({ stream, messages: [{ role: 'user', content: of.name }] })),
  });
  const text = await response.text();
  return {
    status: response.status,
    isReplayed: response.headers.get('idempotent-replayed') === 'true',
    text,
  };
}

/** Calls without pause until the process is gone. */
async function startLoad(of: { readonly url: string; readonly secret: string; readonly prefix: string }) {
  const answered = new Map<string, string>();
  const unanswered: string[] = [];
  const work = async (worker: number) => {
    for (let turn = 0; ; turn++) {
      const name = `${of.prefix}-${worker}-${turn}${turn % 3 === 0 ? 's' : ''}`;
      try {
        const { status, isReplayed, text } = await send({ ...of, name });
        assert.deepEqual([status, isReplayed], [200, false], text);
        answered.set(name, text);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        unanswered.push(name);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  return { answered, unanswered };
}

async function countUnderWay(keyfold: KeyfoldProcess): Promise<number> {
  const rows = await query(
    keyfold,
    `select count(*) as n from idempotent_calls c join reservations r on r.id = c.reservation_id where c.state = 'open'`,
  );
  return Number(rows[0]?.['n']);
}

function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
