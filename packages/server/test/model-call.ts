/** Test support: a call made from a body, as the gateway would parse it. */
import { readFileSync } from 'node:fs';
import { JsonRefusal, scanJsonObject } from '../src/kernel/json-scan.ts';
import type { Endpoint, ModelCall, StreamSummary, StreamTap } from '../src/providers/provider.ts';

export interface CallOptions {
  readonly endpoint?: Endpoint;
  readonly upstreamModel?: string;
  readonly outputTokensMax?: number;
  readonly outputTokensCap?: number;
}

export function modelCall(body: string | object, options: CallOptions = {}): ModelCall {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const scan = scanJsonObject(bytes);
  if (scan instanceof JsonRefusal) throw new Error(`the body was refused: ${scan.reason}`);
  const streamOptions = scan.field('stream_options');
  const asked =
    streamOptions?.kind === 'object' ? scan.fieldsOf(streamOptions).field('include_usage') : undefined;
  const model = scan.field('model');
  return {
    endpoint: options.endpoint ?? 'chat.completions',
    upstreamModel: options.upstreamModel ?? (model === undefined ? 'm' : scan.readString(model)),
    body: bytes,
    scan,
    streamed: scan.field('stream')?.kind === 'true',
    wantsUsageChunk: asked?.kind === 'true',
    outputTokensMax: options.outputTokensMax,
    outputTokensCap: options.outputTokensCap,
  };
}

export function readFixture(name: string): Buffer {
  return readFileSync(new URL(`../src/providers/openai-compatible/__fixtures__/${name}`, import.meta.url));
}

export interface TapResult {
  readonly relayed: string;
  readonly summary: Omit<StreamSummary, 'trailing'>;
}

/** Runs `stream` through a tap, cut where `cuts` says. What the client gets includes what was held back to the end. */
export function runTap(tap: StreamTap, stream: Buffer, cuts: readonly number[] = []): TapResult {
  const relayed: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, stream.length]) {
    const out = tap.push(stream.subarray(from, cut));
    if (Buffer.isBuffer(out)) relayed.push(out);
    else relayed.push(...out);
    from = cut;
  }
  const { trailing, ...summary } = tap.finish();
  if (trailing !== undefined) relayed.push(trailing);
  return { relayed: Buffer.concat(relayed).toString(), summary };
}
