/** Reads a request's body under the size limit and within the memory for all bodies; over either, the rest is not read. */
import type { IncomingMessage } from 'node:http';
import { Denial } from '../kernel/denial.ts';

const EMPTY = Buffer.alloc(0);
const RETRY_AFTER_MS = 1_000;

export interface BodyLimits {
  readonly bytesMax: number;
  /** Takes memory for bytes that have arrived; false when there is none. Who called gives it back. */
  take(bytes: number): boolean;
}

export function readBody(incoming: IncomingMessage, limits: BodyLimits): Promise<Buffer | Denial> {
  const { bytesMax } = limits;
  // Whoever left while the key was looked up says no more: no event would come.
  if (incoming.destroyed) return Promise.resolve(endedEarly());
  const declared = incoming.headers['content-length'];
  if (declared !== undefined && Number(declared) > bytesMax) return Promise.resolve(tooLarge(bytesMax));
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = (denial: Denial) => {
      incoming.pause();
      incoming.removeListener('data', take);
      chunks = [];
      resolve(denial);
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) refuse(tooLarge(bytesMax));
      else if (!limits.take(chunk.length)) refuse(outOfMemory());
      else chunks.push(chunk);
    };
    incoming.on('data', take);
    incoming.on('end', () => {
      const [first, ...more] = chunks;
      resolve(more.length === 0 ? (first ?? EMPTY) : Buffer.concat(chunks, bytes));
      chunks = [];
    });
    incoming.on('error', () => resolve(endedEarly()));
    incoming.on('close', () => resolve(endedEarly()));
  });
}

function endedEarly(): Denial {
  return new Denial('request_timeout', { message: 'The request ended before its body did.' });
}

function tooLarge(bytesMax: number): Denial {
  return new Denial('payload_too_large', { message: `The body may have at most ${bytesMax} bytes.` });
}

function outOfMemory(): Denial {
  return new Denial('unavailable', {
    message: 'Too many large requests are being served. Try again in a moment.',
    reason: 'memory for bodies',
    retryAfterMs: RETRY_AFTER_MS,
  });
}
