import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UpstreamQuestion } from '../providers/provider.ts';
import { type AskLimits, DEFAULT_ASK_LIMITS, type UpstreamAnswer, ask } from './ask.ts';
import { DEFAULT_POOL_LIMITS, OriginPool } from './pools.ts';
import { allowedOrigin, startHttp, startTcp } from '../../test/stand-in-origin.ts';
import type { UpstreamFault } from './upstream-fault.ts';

const QUESTION: UpstreamQuestion = { method: 'GET', path: '/models', headers: { authorization: 'Bearer s' } };

function open(url: string, limits = {}): OriginPool & AsyncDisposable {
  const pool = new OriginPool(allowedOrigin(url), { ...DEFAULT_POOL_LIMITS, ...limits });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.dispatcher.destroy() });
}

async function faultOf(pool: OriginPool, limits: Partial<AskLimits> = {}): Promise<UpstreamFault> {
  const outcome = await ask(pool, QUESTION, { ...DEFAULT_ASK_LIMITS, ...limits });
  assert.ok('kind' in outcome, JSON.stringify(outcome));
  return outcome;
}

describe('ask', () => {
  test('asks without a body and gathers the whole answer, whatever its status', async () => {
    const seen: unknown[] = [];
    await using server = await startHttp((request, response) => {
      seen.push(
        request.method,
        request.url,
        request.headers['content-length'],
        request.headers['authorization'],
      );
      response.writeHead(401);
      response.write('a');
      response.end('b');
    });
    await using pool = open(`${server.url}/v1`);
    const answer = (await ask(pool, QUESTION)) as UpstreamAnswer;
    assert.deepEqual([answer.status, answer.body.toString()], [401, 'ab']);
    assert.deepEqual(seen, ['GET', '/v1/models', undefined, 'Bearer s']);
    assert.equal(pool.calls, 0);
  });

  test('an answer of just as many bytes as allowed is taken, and one of more given up', async () => {
    await using server = await startHttp((_, response) => response.end('x'.repeat(1_000)));
    await using pool = open(server.url);
    const answer = await ask(pool, QUESTION, { ...DEFAULT_ASK_LIMITS, bytesMax: 1_000 });
    assert.ok('body' in answer);
    const fault = await faultOf(pool, { bytesMax: 999 });
    assert.deepEqual([fault.kind, fault.sent], ['protocol', true]);
  });

  test('an answer without an end is given up, however much comes of it', async () => {
    const gone = Promise.withResolvers<void>();
    await using server = await startHttp((_, response) => {
      const more = () => response.write('x'.repeat(65_536));
      response.on('drain', more).on('close', gone.resolve);
      while (more());
    });
    await using pool = open(server.url);
    assert.equal((await faultOf(pool, { bytesMax: 1_048_576 })).kind, 'protocol');
    await gone.promise;
  });

  test('who trickles or says nothing is given up in time, and the connection with it', async () => {
    for (const head of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf']) {
      const gone = Promise.withResolvers<void>();
      await using server = await startTcp((socket) => {
        socket.on('close', () => gone.resolve()).resume();
        if (head !== '') socket.write(head);
      });
      await using pool = open(server.url);
      assert.equal((await faultOf(pool, { timeoutMs: 50 })).kind, 'timeout');
      await gone.promise;
    }
  });

  test('what breaks is told as it is of a call', async () => {
    const server = await startTcp((socket) => socket.destroy());
    const { url } = server;
    await using broken = open(url);
    assert.equal((await faultOf(broken)).kind, 'reset');
    await server[Symbol.asyncDispose]();
    await using absent = open(url);
    assert.equal((await faultOf(absent)).kind, 'refused');
    await using full = open(url, { callsMax: 0 });
    assert.equal((await faultOf(full)).kind, 'overloaded');
  });
});
