import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ManualClock } from '../../../test/manual-clock.ts';
import { allowedOrigin, networks, startHttp, startTcp } from '../../../test/stand-in-origin.ts';
import { CERTIFICATE, startSyslog } from '../../../test/syslog-receiver.ts';
import { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import { RootKey } from '../../sealing/root-key.ts';
import type { ResolveAll } from '../../upstream/dialer.ts';
import { DEFAULT_POOL_LIMITS, OriginPool } from '../../upstream/pools.ts';
import type { StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';
import { readWitness } from './checkpoint-file.ts';
import { FileSink } from './file-sink.ts';
import { SyslogSink, renderSyslog } from './syslog-sink.ts';
import { WebhookSink } from './webhook-sink.ts';

const key = new CheckpointKey(new RootKey(Buffer.alloc(32, 1)));
const clock = new ManualClock();
const folder = mkdtempSync(join(tmpdir(), 'keyfold-sinks-'));
after(() => rmSync(folder, { recursive: true }));
const LOOPBACK = networks('127.0.0.0/8');
const NOWHERE = networks();

function checkpoint(size: number, node = 1): StoredCheckpoint {
  const head = Buffer.alloc(32, size % 256);
  const note = key.sign({ node, size, head });
  return { node, size, atMs: clock.nowMs(), head: head.toString('base64'), note };
}
const page = [checkpoint(1_000), checkpoint(2_000), checkpoint(3_000)];

describe('the file', () => {
  test('holds each note followed by an empty line, for its owner alone, in folders that it makes', async () => {
    const file = join(folder, 'made', 'checkpoints');
    const sink = new FileSink(file);
    assert.deepEqual(await sink.deliver(page.slice(0, 2)), { delivered: 2, problem: undefined });
    await sink.deliver(page.slice(2));
    assert.equal(readFileSync(file, 'utf8'), page.map(({ note }) => `${note}\n`).join(''));
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('tells the last checkpoint of a node, whatever stands around it', async () => {
    const file = join(folder, 'several');
    const stranger = new CheckpointKey(new RootKey(Buffer.alloc(32, 2)));
    const forged = page[0]?.note.replace('\n1000\n', '\n9000\n') ?? '';
    const others = [stranger.sign({ node: 1, size: 8_000, head: Buffer.alloc(32) }), forged];
    assert.equal(await readWitness(file, { node: 1, key }), undefined);
    await new FileSink(file).deliver([...page, checkpoint(7_000, 12)]);
    appendFileSync(file, others.map((note) => `${note}\n`).join(''));
    const found = async (node: number) => (await readWitness(file, { node, key }))?.sequence;
    assert.deepEqual([await found(1), await found(12), await found(2)], [3_000, 7_000, undefined]);
  });

  test('tells the largest of a node, and not the last, however much follows it', async () => {
    const file = join(folder, 'rolled-back');
    await new FileSink(file).deliver([checkpoint(9_000), ...page]);
    for (let piece = 0; piece < 3; piece++) appendFileSync(file, `${'z'.repeat(1_024 * 1_024)}\n\n`);
    await new FileSink(file).deliver(page);
    assert.equal((await readWitness(file, { node: 1, key }))?.sequence, 9_000);
  });

  test('that was there and is gone is neither made anew nor taken for one that says nothing', async () => {
    const file = join(folder, 'unmounted', 'checkpoints');
    assert.deepEqual(await new FileSink(file).deliver(page, true), {
      delivered: 0,
      problem: 'the file cannot be written: ENOENT',
    });
    const ask = (mustExist: boolean) => readWitness(file, { node: 1, key, mustExist: async () => mustExist });
    await assert.rejects(ask(true), /is gone/);
    assert.equal(await ask(false), undefined);
  });

  test('an append that broke off is left behind and harms none that follows', async () => {
    const file = join(folder, 'torn');
    const sink = new FileSink(file);
    for (const cut of [1, 30, 100, (page[0]?.note.length ?? 0) - 1, page[0]?.note.length ?? 0]) {
      appendFileSync(file, page[0]?.note.slice(0, cut) ?? '');
      await sink.deliver(page.slice(1, 2));
      const notes = readFileSync(file, 'utf8').split('\n\n');
      assert.ok(
        readFileSync(file, 'utf8').endsWith(`\n\n${page[1]?.note}\n`),
        `cut at ${cut} of ${notes.length}`,
      );
      assert.equal((await readWitness(file, { node: 1, key }))?.sequence, 2_000);
    }
  });

  test(
    'a full disk is a problem, and nothing counts as delivered',
    { skip: process.platform !== 'linux' },
    async () => {
      assert.deepEqual(await new FileSink('/dev/full').deliver(page), {
        delivered: 0,
        problem: 'the file cannot be written: ENOSPC',
      });
    },
  );
});

describe('syslog', () => {
  const targetOf = (port: number, isTls = false, allowed = LOOPBACK) => ({
    host: '127.0.0.1',
    port,
    isTls,
    networks: allowed,
    ...(isTls ? { ca: CERTIFICATE } : {}),
  });

  for (const isTls of [false, true]) {
    test(`takes one message a checkpoint, counted in bytes, over ${isTls ? 'TLS' : 'TCP'}`, async () => {
      await using receiver = await startSyslog({ isTls });
      const sink = new SyslogSink(targetOf(receiver.port, isTls));
      assert.deepEqual(await sink.deliver(page), { delivered: 3, problem: undefined });
      assert.equal(receiver.messages.length, 3);
      for (const [index, message] of receiver.messages.entries()) {
        const [, json = ''] =
          /^<109>1 2026-11-23T12:00:00\.000Z [!-~]{1,255} keyfold - audit\.checkpoint - (\{[ -~]+\})$/.exec(
            message,
          ) ?? [];
        const { node, size, note } = page[index] ?? assert.fail();
        assert.deepEqual(JSON.parse(json), { node, size, note });
      }
    });
  }

  test('a host name that a message cannot carry is left out', () => {
    const [first = assert.fail()] = page;
    assert.match(renderSyslog(first, 'ü'), /^<109>1 \S+ - keyfold /);
    assert.match(renderSyslog(first, 'a host'), /^<109>1 \S+ ahost keyfold /);
  });

  test('a private address needs its network, and none is dialled without', async () => {
    await using receiver = await startSyslog();
    const denied = { delivered: 0, problem: 'denied_address' };
    assert.deepEqual(await new SyslogSink(targetOf(receiver.port, false, NOWHERE)).deliver(page), denied);
    const named = { ...targetOf(receiver.port, false, NOWHERE), host: 'syslog.test' };
    const resolveAll: ResolveAll = (_host, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);
    assert.deepEqual(await new SyslogSink({ ...named, resolveAll }).deliver(page), denied);
    assert.equal(
      (await new SyslogSink({ ...named, resolveAll, networks: LOOPBACK }).deliver(page)).delivered,
      3,
    );
    assert.equal(receiver.messages.length, 3);
  });

  test('a receiver without a certificate that is trusted gets nothing', async () => {
    await using receiver = await startSyslog({ isTls: true });
    const { ca: _ca, ...target } = targetOf(receiver.port, true);
    assert.equal((await new SyslogSink(target).deliver(page)).delivered, 0);
    assert.deepEqual(receiver.messages, []);
  });

  test('a receiver that breaks off, or is not there, has nothing for certain', async () => {
    const broken = await startTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { port } = broken;
    assert.equal((await new SyslogSink(targetOf(port)).deliver(page)).delivered, 0);
    await broken[Symbol.asyncDispose]();
    assert.deepEqual(await new SyslogSink(targetOf(port)).deliver(page), {
      delivered: 0,
      problem: 'refused',
    });
  });

  test('a receiver that closes before it was told that no more comes has nothing for certain', async () => {
    await using closing = await startTcp((socket) => void socket.resume().end());
    assert.deepEqual(await new SyslogSink(targetOf(closing.port)).deliver(page), {
      delivered: 0,
      problem: 'reset',
    });
  });

  test('what is under way ends with the sink', async () => {
    await using deaf = await startTcp((socket) => socket.pause());
    const sink = new SyslogSink(targetOf(deaf.port));
    const delivering = sink.deliver(page);
    await sink.close();
    assert.deepEqual(await delivering, { delivered: 0, problem: 'aborted' });
  });
});

describe('the webhook', () => {
  const secret = Buffer.alloc(32, 5);
  const sinkAt = (url: string, headersTimeoutMs = 2_000) =>
    new WebhookSink({
      secret,
      clock,
      pool: new OriginPool(allowedOrigin(`${url}/hook`), { ...DEFAULT_POOL_LIMITS, headersTimeoutMs }),
    });

  test('is posted each checkpoint, in order, signed, under an id that is the same at every try', async () => {
    const got: { headers: IncomingMessage['headers']; body: string }[] = [];
    await using receiver = await startHttp((request, response) => void keep(request, response, got));
    const sink = sinkAt(receiver.url);
    assert.deepEqual(await sink.deliver(page), { delivered: 3, problem: undefined });
    await sink.deliver(page.slice(0, 1));
    await sink.close();
    const ids = got.map(({ headers }) => headers['webhook-id']);
    assert.equal(new Set(ids).size, 3);
    assert.equal(ids[3], ids[0]);
    for (const [index, { headers, body }] of got.slice(0, 3).entries()) {
      const { node, size, head, note } = page[index] ?? assert.fail();
      assert.deepEqual(JSON.parse(body), {
        type: 'audit.checkpoint',
        timestamp: '2026-11-23T12:00:00.000Z',
        data: { origin: key.originOf(1), node, size, head, note },
      });
      const signed = [ids[index], headers['webhook-timestamp'], body].join('.');
      const mac = createHmac('sha256', secret).update(signed).digest('base64');
      assert.equal(headers['webhook-signature'], `v1,${mac}`);
    }
  });

  for (const [what, answer, problem] of [
    ['answers 500', (response: ServerResponse) => response.writeHead(500).end(), 'the receiver answered 500'],
    [
      'redirects',
      (response: ServerResponse) => response.writeHead(302, { location: '/' }).end(),
      'redirected',
    ],
    ['does not answer in time', () => undefined, 'timeout'],
    ['breaks the connection', (response: ServerResponse) => response.destroy(), 'reset'],
  ] as const) {
    test(`what came before counts, and nothing after, where the receiver ${what}`, async () => {
      let requests = 0;
      await using receiver = await startHttp((request, response) => {
        request.resume();
        if (++requests === 1) response.writeHead(204).end();
        else answer(response);
      });
      const sink = sinkAt(receiver.url, 200);
      assert.deepEqual(await sink.deliver(page), { delivered: 1, problem });
      await sink.close();
      assert.equal(requests, 2);
    });
  }

  test('a private address needs its network', async () => {
    let requests = 0;
    await using receiver = await startHttp((_request, response) => {
      requests++;
      response.end();
    });
    const target = allowedOrigin(`http://receiver.test:${receiver.port}`, networks('10.0.0.0/8'));
    const resolveAll: ResolveAll = (_host, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);
    const pool = new OriginPool(target, DEFAULT_POOL_LIMITS, resolveAll);
    const sink = new WebhookSink({ secret, clock, pool });
    assert.deepEqual(await sink.deliver(page), { delivered: 0, problem: 'denied_address' });
    await sink.close();
    assert.equal(requests, 0);
  });
});

async function keep(
  request: IncomingMessage,
  response: ServerResponse,
  got: { headers: IncomingMessage['headers']; body: string }[],
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  got.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
  response.writeHead(200).end('ok');
}
