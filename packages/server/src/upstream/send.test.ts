import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UpstreamRequest } from '../providers/provider.ts';
import type { ResolveAll } from './dialer.ts';
import { DEFAULT_POOL_LIMITS, OriginPool, type PoolLimits } from './pools.ts';
import { send } from './send.ts';
import { allowedOrigin, RecordingReceiver, startHttp, startTcp } from '../../test/stand-in-origin.ts';
import type { UpstreamFault } from './upstream-fault.ts';

const REQUEST: UpstreamRequest = {
  method: 'POST',
  path: '/chat/completions',
  headers: { 'content-type': 'application/json', authorization: 'Bearer s' },
  body: Buffer.from('{"a":1}'),
};

function open(url: string, limits: Partial<PoolLimits> = {}): OriginPool & AsyncDisposable {
  const pool = new OriginPool(allowedOrigin(url), { ...DEFAULT_POOL_LIMITS, ...limits });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.dispatcher.destroy() });
}

async function faultOf(receiver: RecordingReceiver): Promise<UpstreamFault> {
  const over = await receiver.over;
  assert.notEqual(over, 'end');
  return over as UpstreamFault;
}

describe('send', () => {
  test('delivers the request below the base path, and the answer byte for byte', async () => {
    const seen: unknown[] = [];
    await using server = await startHttp((request, response) => {
      const body: Buffer[] = [];
      request.on('data', (chunk: Buffer) => body.push(chunk));
      request.on('end', () => {
        seen.push(request.method, request.url, request.headers, Buffer.concat(body).toString());
        response.writeHead(200, { 'x-request-id': 'r1' });
        response.end('hello');
      });
    });
    await using pool = open(`${server.url}/v1/`);
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    assert.equal(await receiver.over, 'end');
    assert.deepEqual(receiver.heard, ['head', 'end']);
    assert.equal(receiver.status, 200);
    assert.equal(receiver.headers?.['x-request-id'], 'r1');
    assert.equal(receiver.text, 'hello');
    const [method, url, headers, body] = seen as [string, string, Record<string, string>, string];
    assert.deepEqual([method, url, body], ['POST', '/v1/chat/completions', '{"a":1}']);
    assert.deepEqual(headers, {
      host: `127.0.0.1:${server.port}`,
      connection: 'keep-alive',
      'content-type': 'application/json',
      authorization: 'Bearer s',
      'content-length': '7',
    });
    assert.equal(pool.calls, 0);
  });

  test('uses connections again', async () => {
    const ports = new Set<number | undefined>();
    await using server = await startHttp((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('ok');
    });
    await using pool = open(server.url);
    for (let call = 0; call < 20; call++) {
      const receiver = new RecordingReceiver();
      send(pool, REQUEST, receiver);
      assert.equal(await receiver.over, 'end');
    }
    // A connection rests for one turn of the event loop after its answer, so a call that comes at once takes a second.
    assert.ok(ports.size <= 2, `${ports.size} connections`);
  });

  test('an answer of 4xx or 5xx is an answer, with its body', async () => {
    await using server = await startHttp((_request, response) => {
      response.writeHead(429, { 'retry-after': '7' });
      response.end('{"error":{}}');
    });
    await using pool = open(server.url);
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    assert.equal(await receiver.over, 'end');
    assert.equal(receiver.status, 429);
    assert.equal(receiver.text, '{"error":{}}');
  });

  test('informational answers pass unnoticed', async () => {
    await using server = await startHttp((_request, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      response.end('ok');
    });
    await using pool = open(server.url);
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    assert.equal(await receiver.over, 'end');
    assert.deepEqual(receiver.heard, ['head', 'end']);
  });

  test('a redirect is never followed, whatever its status', async () => {
    for (const status of [300, 301, 302, 303, 304, 307, 308, 399]) {
      let calls = 0;
      await using server = await startHttp((_request, response) => {
        calls++;
        response.writeHead(status, { location: '/elsewhere' });
        response.end();
      });
      await using pool = open(server.url);
      const receiver = new RecordingReceiver();
      send(pool, REQUEST, receiver);
      const fault = await faultOf(receiver);
      assert.deepEqual([fault.kind, fault.sent], ['redirected', true]);
      assert.deepEqual(receiver.heard, ['fault']);
      assert.equal(calls, 1);
    }
  });

  test('a paused answer stops the provider, and goes on where it stopped', async () => {
    const total = 64 * 1024 * 1024;
    const block = Buffer.alloc(64 * 1024, 'x');
    let written = 0;
    const blocked = Promise.withResolvers<void>();
    await using server = await startHttp((_request, response) => {
      const write = () => {
        while (written < total) {
          written += block.length;
          if (!response.write(block)) {
            // Nothing is read for as long as the receiver is paused, so this drain waits for `resume`.
            setImmediate(() => blocked.resolve());
            response.once('drain', write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    await using pool = open(server.url);
    let isPaused = true;
    const receiver = new RecordingReceiver(() => !isPaused);
    const exchange = send(pool, REQUEST, receiver);
    await receiver.head;
    await blocked.promise;
    for (let turn = 0, last = -1; last !== written || turn < 50; turn++) {
      last = written;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(written < total / 2, `the provider wrote ${written} bytes to a paused receiver`);
    const received = receiver.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    assert.ok(received <= 128 * 1024, `${received} bytes arrived while paused`);
    isPaused = false;
    exchange.resume();
    assert.equal(await receiver.over, 'end');
    assert.equal(
      receiver.chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      total,
    );
  });

  test('resuming inside onBytes is no pause', async () => {
    await using server = await startHttp((_request, response) => response.end('x'.repeat(500_000)));
    await using pool = open(server.url);
    const receiver = new RecordingReceiver(() => {
      setImmediate(() => exchange.resume());
      return false;
    });
    const exchange = send(pool, REQUEST, receiver);
    assert.equal(await receiver.over, 'end');
    assert.equal(receiver.text.length, 500_000);
  });

  test('abort reaches the provider and is heard once', async () => {
    const closed = Promise.withResolvers<void>();
    await using server = await startHttp((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.write('data: 1\n\n');
    });
    await using pool = open(server.url);
    const receiver = new RecordingReceiver();
    const exchange = send(pool, REQUEST, receiver);
    await receiver.head;
    exchange.abort();
    exchange.abort();
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['aborted', true]);
    await closed.promise;
    assert.deepEqual(receiver.heard, ['head', 'fault']);
    assert.equal(pool.calls, 0);
  });

  test('abort inside onBytes ends the exchange', async () => {
    const closed = Promise.withResolvers<void>();
    await using server = await startHttp((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.write('x'.repeat(300_000));
    });
    await using pool = open(server.url);
    const receiver = new RecordingReceiver(() => {
      exchange.abort();
      return false;
    });
    const exchange = send(pool, REQUEST, receiver);
    assert.equal((await faultOf(receiver)).kind, 'aborted');
    await closed.promise;
    assert.equal(receiver.chunks.length, 1);
    assert.equal(pool.calls, 0);
  });

  test('a call that is aborted while it waits for a connection was never sent', async () => {
    let requests = 0;
    const first = Promise.withResolvers<() => void>();
    await using server = await startHttp((_request, response) => {
      if (++requests === 1) first.resolve(() => response.end('done'));
      else response.end('done');
    });
    await using pool = open(server.url, { connectionsMax: 1 });
    const running = new RecordingReceiver();
    send(pool, REQUEST, running);
    const finishFirst = await first.promise;
    const waiting = new RecordingReceiver();
    send(pool, REQUEST, waiting).abort();
    const fault = await faultOf(waiting);
    assert.deepEqual([fault.kind, fault.sent], ['aborted', false]);
    assert.equal(pool.calls, 2);
    finishFirst();
    assert.equal(await running.over, 'end');
    const last = new RecordingReceiver();
    send(pool, REQUEST, last);
    assert.equal(await last.over, 'end');
    assert.equal(requests, 2);
    assert.equal(pool.calls, 0);
  });

  test('a call beyond the limit is refused at once', async () => {
    const arrived = Promise.withResolvers<void>();
    await using server = await startHttp(() => arrived.resolve());
    await using pool = open(server.url, { callsMax: 1 });
    const exchange = send(pool, REQUEST, new RecordingReceiver());
    await arrived.promise;
    const refused = new RecordingReceiver();
    send(pool, REQUEST, refused).abort();
    const fault = await faultOf(refused);
    assert.deepEqual([fault.kind, fault.sent], ['overloaded', false]);
    exchange.abort();
    assert.equal(pool.calls, 0);
  });

  test('a refused connection sent nothing', async () => {
    const server = await startTcp(() => {});
    await server[Symbol.asyncDispose]();
    await using pool = open(server.url);
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['refused', false]);
    assert.match(fault.detail, /ECONNREFUSED/);
    assert.equal(pool.calls, 0);
  });

  test('a name at a denied address is not dialled, and nothing is sent', async () => {
    let connections = 0;
    await using server = await startTcp(() => connections++);
    const target = allowedOrigin(`http://model.test:${server.port}`);
    const resolveAll: ResolveAll = (_host, done) => done(null, [{ address: '10.0.0.1', family: 4 }]);
    const pool = new OriginPool(target, DEFAULT_POOL_LIMITS, resolveAll);
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['denied_address', false]);
    assert.equal(connections, 0);
    assert.equal(pool.calls, 0);
    await pool.dispatcher.destroy();
  });

  test('no connection in time is a timeout, and nothing was sent', async () => {
    const silent: ResolveAll = () => {};
    const limits = { ...DEFAULT_POOL_LIMITS, connectTimeoutMs: 50 };
    const pool = new OriginPool(allowedOrigin('http://model.test'), limits, silent);
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    // The client's own timer does not keep the process alive.
    const alive = setInterval(() => {}, 1_000);
    const fault = await faultOf(receiver);
    clearInterval(alive);
    assert.deepEqual([fault.kind, fault.sent], ['timeout', false]);
    await pool.dispatcher.destroy();
  });

  test('a certificate that is none sent nothing', async () => {
    await using server = await startTcp((socket) => socket.end('no TLS here'));
    await using pool = open(server.url.replace('http:', 'https:'));
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['refused', false]);
  });

  test('a connection that is reset before the answer may have sent the call', async () => {
    await using server = await startTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await using pool = open(server.url);
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['reset', true]);
    assert.deepEqual(receiver.heard, ['fault']);
  });

  test('an answer that breaks off is a fault after its bytes, never an end', async () => {
    const heads = ['content-length: 100', 'transfer-encoding: chunked'];
    for (const head of heads) {
      for (const cut of ['end', 'resetAndDestroy'] as const) {
        await using server = await startTcp((socket) =>
          socket.once('data', () => {
            socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n3\r\nabc\r\n`, () => {
              // A reset may overtake bytes that were not read yet, so it waits until the receiver has some.
              void receiver.head.then(() => socket[cut]());
            });
          }),
        );
        await using pool = open(server.url);
        const receiver = new RecordingReceiver();
        send(pool, REQUEST, receiver);
        const fault = await faultOf(receiver);
        assert.ok(fault.kind === 'reset' || fault.kind === 'protocol', fault.kind);
        assert.equal(fault.sent, true);
        assert.deepEqual(receiver.heard, ['head', 'fault']);
      }
    }
  });

  test('no headers in time is a timeout', async () => {
    const arrived = Promise.withResolvers<void>();
    await using server = await startHttp(() => arrived.resolve());
    await using pool = open(server.url, { headersTimeoutMs: 50 });
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    await arrived.promise;
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['timeout', true]);
  });

  test('no next byte in time is a timeout', async () => {
    await using server = await startHttp((_request, response) => response.write('x'));
    await using pool = open(server.url, { bodyTimeoutMs: 50 });
    const receiver = new RecordingReceiver();
    send(pool, REQUEST, receiver);
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['timeout', true]);
    assert.deepEqual(receiver.heard, ['head', 'fault']);
  });

  test('what is no HTTP is a protocol fault, and so are headers without end', async () => {
    for (const answer of ['SSH-2.0-x\r\n\r\n', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`]) {
      await using server = await startTcp((socket) => socket.once('data', () => socket.write(answer)));
      await using pool = open(server.url);
      const receiver = new RecordingReceiver();
      send(pool, REQUEST, receiver);
      const fault = await faultOf(receiver);
      assert.deepEqual([fault.kind, fault.sent], ['protocol', true], fault.detail);
    }
  });

  test('a header that could split the request is never sent', async () => {
    let connections = 0;
    await using server = await startTcp(() => connections++);
    await using pool = open(server.url);
    const receiver = new RecordingReceiver();
    send(pool, { ...REQUEST, headers: { authorization: 'Bearer a\r\nx: y' } }, receiver);
    const fault = await faultOf(receiver);
    assert.deepEqual([fault.kind, fault.sent], ['protocol', false]);
    assert.ok(!fault.detail.includes('Bearer'));
    assert.equal(connections, 0);
    assert.equal(pool.calls, 0);
  });

  test('closing the pool lets a running call end; destroying it cuts the call', async () => {
    const answers: (() => void)[] = [];
    const arrivals = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using server = await startHttp((_request, response) => {
      arrivals[answers.length]?.resolve();
      answers.push(() => response.end('done'));
    });
    const closing = open(server.url);
    const first = new RecordingReceiver();
    send(closing, REQUEST, first);
    await arrivals[0]?.promise;
    const closed = closing.dispatcher.close();
    answers[0]?.();
    assert.equal(await first.over, 'end');
    await closed;
    const late = new RecordingReceiver();
    send(closing, REQUEST, late);
    assert.deepEqual([(await faultOf(late)).kind, (await faultOf(late)).sent], ['aborted', false]);

    const destroyed = open(server.url);
    const second = new RecordingReceiver();
    send(destroyed, REQUEST, second);
    await arrivals[1]?.promise;
    await destroyed.dispatcher.destroy();
    assert.equal((await faultOf(second)).sent, true);
    assert.equal(destroyed.calls, 0);
  });
});
