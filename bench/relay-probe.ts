/**
 * A program that is provider and client at once: it streams events through a server and sees when each arrives. Both ends
 * share one clock, so what it tells of an event is how long the server under test, and the sockets around it, held it.
 *
 * It reads its `RelayLoad` as JSON from the environment variable `BENCH_RELAY_LOAD` and prints one `RelayResult`.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPercentile } from './statistics.ts';
import type { Call } from './target.ts';

export interface RelayLoad {
  readonly call: Call;
  /** Where the program listens as the provider. */
  readonly providerPort: number;
  readonly streams: number;
  readonly events: number;
  readonly gapMs: number;
  readonly timeoutMs: number;
}

export interface RelayResult {
  readonly streams: number;
  /** Streams that brought every event in order. */
  readonly complete: number;
  readonly events: number;
  /** From the provider's write of a stream's first event to its arrival. */
  readonly firstEventMs: { readonly p50: number; readonly p99: number };
  /** The same of every event. */
  readonly eventMs: { readonly p50: number; readonly p99: number };
}

/** Content of event `index`, with the time at which it was written. */
const MARKER = /"content":"(\d+) ([\d.]+) "/g;
const USAGE = { prompt_tokens: 120, completion_tokens: 190, total_tokens: 310 };

async function runLoad(load: RelayLoad): Promise<RelayResult> {
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing, load));
  server.listen(load.providerPort, '127.0.0.1');
  await once(server, 'listening');
  const streams: Promise<readonly number[]>[] = [];
  for (let index = 0; index < load.streams; index++) {
    streams.push(follow(load));
    // Spread over the gap of many events: what is measured is streams that run, not a crowd at the door.
    await sleep((load.gapMs * 50) / load.streams);
  }
  const all = await Promise.all(streams);
  server.closeAllConnections();
  server.close();
  const complete = all.filter((delays) => delays.length === load.events);
  const firsts = complete.map((delays) => delays[0] ?? NaN);
  const delays = complete.flat();
  const percentiles = (list: readonly number[]) => ({
    p50: findPercentile(list, 0.5),
    p99: findPercentile(list, 0.99),
  });
  return {
    streams: load.streams,
    complete: complete.length,
    events: delays.length,
    firstEventMs: percentiles(firsts),
    eventMs: percentiles(delays),
  };
}

/** The provider: an event as soon as it is asked, and one more after each gap. */
async function answer(incoming: IncomingMessage, outgoing: ServerResponse, load: RelayLoad): Promise<void> {
  incoming.resume();
  await once(incoming, 'end');
  outgoing.socket?.setNoDelay(true);
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
  let index = 0;
  const write = () => {
    outgoing.write(renderEvent([choice(`${index++} ${performance.now()} `)], null));
    if (index < load.events) return;
    clearInterval(timer);
    outgoing.end(`${renderEvent([], USAGE)}data: [DONE]\n\n`);
  };
  const timer = setInterval(write, load.gapMs);
  outgoing.on('close', () => clearInterval(timer));
  write();
}

function choice(content: string): object {
  return { index: 0, delta: { content }, finish_reason: null };
}

function renderEvent(choices: readonly object[], usage: object | null): string {
  const head = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_790_000_000 };
  return `data: ${JSON.stringify({ ...head, model: 'bench-relay', choices, usage })}\n\n`;
}

/** The client: how long each event was under way, in order; it ends early at one that is missing. Never rejects. */
function follow({ call, timeoutMs }: RelayLoad): Promise<readonly number[]> {
  const delays: number[] = [];
  return new Promise((resolve) => {
    const sent = request(call.url, { method: 'POST', headers: call.headers, agent: false });
    const timer = setTimeout(() => sent.destroy(), timeoutMs);
    sent.on('error', () => {});
    sent.on('close', () => {
      clearTimeout(timer);
      resolve(delays);
    });
    sent.on('response', (incoming) => {
      let rest = '';
      incoming.on('error', () => {});
      incoming.on('data', (bytes: Buffer) => {
        const now = performance.now();
        const text = rest + bytes.toString('latin1');
        const end = text.lastIndexOf('\n\n');
        rest = end < 0 ? text : text.slice(end + 2);
        for (const [, index, writtenMs] of text.slice(0, end < 0 ? 0 : end).matchAll(MARKER)) {
          if (Number(index) !== delays.length) sent.destroy();
          else delays.push(now - Number(writtenMs));
        }
      });
    });
    sent.end(call.body);
  });
}

const load = process.env['BENCH_RELAY_LOAD'];
if (!load) throw new Error('BENCH_RELAY_LOAD is not set');
console.log(JSON.stringify(await runLoad(JSON.parse(load) as RelayLoad)));
