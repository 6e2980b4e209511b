import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { StreamRelay } from '../../src/gateway/answering/stream-relay.ts';
import { BodyBudget } from '../../src/http/body-budget.ts';
import { NodeExchange } from '../../src/http/node-exchange.ts';
import { Denial } from '../../src/kernel/denial.ts';
import { OpenAiStreamTap } from '../../src/providers/openai-compatible/usage-tap.ts';
import { modelCall } from '../model-call.ts';
import { until } from './support.ts';

const HEAD = {
  method: 'POST',
  path: '/',
  query: '',
  secret: undefined,
  signature: undefined,
  header: () => undefined,
};
const EVENT = Buffer.from(`data: {"x":"${'y'.repeat(60_000)}"}\n\n`);
const STALL_MS = 1_000;
const READ_BYTES = 16_000_000;

test('a client that does not read its stream is cut off, and the call hears that it has gone', async () => {
  await using server = await serve();
  const { port } = server;
  const client = connect(port, '127.0.0.1');
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const exchange = await server.next();
  const gone = new Promise<void>((resolve) => {
    exchange.onGone(resolve);
  });
  keepFull(exchange);
  await gone;
  client.destroy();
});

test('a client that reads slowly, but reads, gets its stream to the end', async () => {
  await using server = await serve();
  const client = connect(server.port, '127.0.0.1');
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const exchange = await server.next();
  let isGone = false;
  exchange.onGone(() => {
    isGone = true;
  });
  const stream = keepFull(exchange);
  let received = 0;
  client.on('data', (chunk: Buffer) => {
    received += chunk.length;
    // In all longer than a client may be silent.
    client.pause();
    if (received < READ_BYTES) setTimeout(() => client.resume(), STALL_MS / 100);
    else {
      stream.end();
      client.resume();
    }
  });
  client.resume();
  await once(client, 'close');
  assert.equal(isGone, false);
  assert.ok(received >= stream.bytes(), `${received} of ${stream.bytes()}`);
});

test('a client that leaves the end of its stream unread is cut off, too', async () => {
  await using server = await serve();
  const client = connect(server.port, '127.0.0.1');
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const exchange = await server.next();
  const gone = new Promise<void>((resolve) => {
    exchange.onGone(resolve);
  });
  const stream = keepFull(exchange);
  let before = 0;
  await until(() => {
    const isFull = stream.bytes() === before;
    before = stream.bytes();
    return isFull ? true : undefined;
  });
  stream.end();
  await gone;
  client.destroy();
});

test('a client that does not read a whole answer is cut off, and one that reads slowly is not', async () => {
  await using server = await serve();
  const answer = Buffer.alloc(READ_BYTES, 'x');
  const ask = async () => {
    const client = connect(server.port, '127.0.0.1');
    client.pause();
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const exchange = await server.next();
    const gone = { isGone: false };
    exchange.onGone(() => {
      gone.isGone = true;
    });
    exchange.respond(200, {}, answer);
    return { client, gone };
  };
  const deaf = await ask();
  await until(() => (deaf.gone.isGone ? true : undefined));
  deaf.client.destroy();

  const slow = await ask();
  let received = 0;
  slow.client.on('data', (chunk: Buffer) => {
    received += chunk.length;
    slow.client.pause();
    setTimeout(() => slow.client.resume(), 1);
  });
  slow.client.resume();
  await once(slow.client, 'close');
  assert.equal(slow.gone.isGone, false);
  assert.ok(received >= READ_BYTES);
});

test('bodies beyond the memory for all of them are refused with 503, and what a call took comes back', async () => {
  const bodies = new BodyBudget(1_000);
  await using server = await serve(bodies);
  const url = `http://127.0.0.1:${server.port}/`;
  const post = (bytes: number) => fetch(url, { method: 'POST', body: 'x'.repeat(bytes) });
  const first = post(600);
  const running = await server.next();
  assert.equal(((await running.readBody(true)) as Buffer).length, 600);
  assert.equal(bodies.bytes, 600);

  const second = post(600);
  const refused = await server.next();
  const denial = await refused.readBody(true);
  assert.ok(denial instanceof Denial);
  refused.refuse(denial, {});
  const answer = await second;
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
  assert.match(await answer.text(), /"code":"unavailable"/);

  running.respond(200, {}, Buffer.from('{}'));
  assert.equal((await first).status, 200);
  await until(() => (bodies.bytes === 0 ? true : undefined));
  const third = post(1_000);
  const served = await server.next();
  assert.equal(((await served.readBody(true)) as Buffer).length, 1_000);
  served.respond(200, {}, Buffer.from('{}'));
  assert.equal((await third).status, 200);
  await until(() => (bodies.bytes === 0 ? true : undefined));
});

/** Relays as much as the client takes, again and again, until it takes no more. */
function keepFull(exchange: NodeExchange) {
  let bytes = 0;
  let isEnded = false;
  const fill = () => {
    if (isEnded) return;
    do bytes += EVENT.length;
    while (relay.relay(EVENT));
  };
  const relay = new StreamRelay({
    open: () => exchange.startStream(200, { 'content-type': 'text/event-stream' }),
    tap: new OpenAiStreamTap(modelCall({ model: 'm', stream: true })),
    translator: undefined,
    firstToken: undefined,
    resume: fill,
    stallMs: STALL_MS,
  });
  fill();
  return {
    bytes: () => bytes,
    end: () => {
      isEnded = true;
      relay.finish();
      relay.end();
    },
  };
}

/** A bare server whose requests wait for the test. */
async function serve(bodies = new BodyBudget(1_000_000)) {
  const arrived: NodeExchange[] = [];
  const take = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const facts = {
      head: HEAD,
      requestId: 'req_1',
      address: '127.0.0.1',
      bodyBytesMax: 10_000,
      bodies,
      stallMs: STALL_MS,
    };
    arrived.push(new NodeExchange({ incoming, outgoing }, facts));
  };
  const server = createServer(take);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    next: () => until(() => arrived.shift()),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
