/** Drives one target with wrk, a native load generator, and reads what it measured. */
import { join } from 'node:path';
import { BENCH_DIR } from './places.ts';
import type { ProcessGroup } from './processes.ts';
import type { Call } from './target.ts';

export interface WrkOptions {
  readonly core: number;
  readonly connections: number;
  readonly seconds: number;
}

/** Latencies as wrk reports them: microseconds, from a request's write to its answer's end. */
export interface WrkResult {
  readonly requests: number;
  readonly durationMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly maxMicros: number;
  readonly statusErrors: number;
  readonly socketErrors: number;
  readonly timeouts: number;
}

/** One thread, `connections` kept-alive connections, closed loop. Throws when any call was not answered with success. */
export async function runWrk(
  group: ProcessGroup,
  call: Call,
  options: WrkOptions & { readonly signaturesFile?: string },
): Promise<WrkResult> {
  const headers = Object.entries(call.headers).map(([name, value]) => `${name}: ${value}`);
  const stdout = await group.run({
    core: options.core,
    command: 'wrk',
    args: [
      '-t1',
      `-c${options.connections}`,
      `-d${options.seconds}s`,
      '--timeout',
      '10s',
      '--latency',
      '-s',
      join(BENCH_DIR, 'lua/chat.lua'),
      call.url,
    ],
    env: {
      ...process.env,
      BENCH_BODY: call.body,
      BENCH_HEADERS: headers.join('\n'),
      ...(options.signaturesFile === undefined ? {} : { BENCH_SIGNATURES: options.signaturesFile }),
    },
    timeoutMs: (options.seconds + 20) * 1000,
  });
  const line = /^BENCH (\{.*\})$/m.exec(stdout)?.[1];
  if (!line) throw new Error(`wrk printed no result:\n${stdout}`);
  const result = JSON.parse(line) as WrkResult;
  const failed = result.statusErrors + result.socketErrors + result.timeouts;
  if (failed > 0 || result.requests === 0) {
    throw new Error(`${call.url}: ${failed} of ${result.requests} calls failed: ${line}`);
  }
  return result;
}
