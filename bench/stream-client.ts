/**
 * A program that opens many event streams at once and checks every event of each.
 *
 * It reads its `StreamLoad` as JSON from the environment variable `BENCH_STREAM_LOAD` and prints one `StreamResult`.
 * It speaks HTTP/1.1 over plain sockets and connects all of them before it asks for anything, so that what it
 * measures is the server and not its own start.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { EventStreamReader } from './event-stream-reader.ts';
import { findPercentile } from './statistics.ts';
import type { Call } from './target.ts';

export interface StreamLoad {
  readonly call: Call;
  readonly streams: number;
  readonly events: number;
  readonly timeoutMs: number;
}

export interface StreamResult {
  readonly streams: number;
  /** Streams that brought every event in order, and `[DONE]`. */
  readonly complete: number;
  readonly dropped: number;
  readonly events: number;
  /** From the request's write on an open connection to its first event; all streams ask at once. */
  readonly firstEventMs: { readonly p50: number; readonly p99: number };
  /** Between two events of one stream; the provider's pace is part of it. */
  readonly gapMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** From the first request to the end of the last stream. */
  readonly wallMs: number;
  /** Why streams were dropped, a few of them. */
  readonly reasons: readonly string[];
}

interface StreamOutcome {
  readonly askedMs: number;
  readonly arrivalsMs: readonly number[];
  readonly reason: string | undefined;
}

async function runLoad(load: StreamLoad): Promise<StreamResult> {
  const sockets = await Promise.all(Array.from({ length: load.streams }, () => openSocket(load.call.url)));
  const request = renderRequest(load.call);
  const startedMs = performance.now();
  const outcomes = await Promise.all(sockets.map((socket) => followStream(socket, { request, load })));
  const wallMs = performance.now() - startedMs;
  const complete = outcomes.filter((outcome) => outcome.reason === undefined);
  const firsts = complete.map((outcome) => (outcome.arrivalsMs[0] ?? NaN) - outcome.askedMs);
  const gaps = complete.flatMap(({ arrivalsMs }) =>
    arrivalsMs.slice(1).map((at, index) => at - (arrivalsMs[index] ?? NaN)),
  );
  return {
    streams: load.streams,
    complete: complete.length,
    dropped: load.streams - complete.length,
    events: outcomes.reduce((sum, { arrivalsMs }) => sum + arrivalsMs.length, 0),
    firstEventMs: { p50: findPercentile(firsts, 0.5), p99: findPercentile(firsts, 0.99) },
    gapMs: { p50: findPercentile(gaps, 0.5), p99: findPercentile(gaps, 0.99), max: findPercentile(gaps, 1) },
    wallMs,
    reasons: [...new Set(outcomes.flatMap(({ reason }) => reason ?? []))].slice(0, 5),
  };
}

/** Sends the request and reads to the end of the answer; never rejects. */
function followStream(socket: Socket, run: { request: string; load: StreamLoad }): Promise<StreamOutcome> {
  const reader = new EventStreamReader();
  const askedMs = performance.now();
  socket.write(run.request);
  return new Promise((resolve) => {
    const finish = (failure?: string): void => {
      clearTimeout(timer);
      socket.destroy();
      const { arrivalsMs } = reader;
      const short = arrivalsMs.length === run.load.events ? undefined : `${arrivalsMs.length} events`;
      resolve({ askedMs, arrivalsMs, reason: reader.problem ?? failure ?? short });
    };
    const timer = setTimeout(
      () => finish(`timed out after ${reader.arrivalsMs.length} events`),
      run.load.timeoutMs,
    );
    socket.on('data', (bytes: Buffer) => {
      reader.read(bytes);
      if (reader.ended || reader.problem !== undefined) finish(reader.done ? undefined : 'no [DONE]');
    });
    socket.once('error', (error) => finish(error.message));
    socket.once('close', () => finish(`closed after ${reader.arrivalsMs.length} events`));
  });
}

async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  return socket;
}

function renderRequest({ url, headers, body }: Call): string {
  const { pathname, host } = new URL(url);
  const fields = { host, ...headers, 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

const load = process.env['BENCH_STREAM_LOAD'];
if (!load) throw new Error('BENCH_STREAM_LOAD is not set');
console.log(JSON.stringify(await runLoad(JSON.parse(load) as StreamLoad)));
