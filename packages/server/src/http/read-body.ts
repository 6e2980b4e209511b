/** Reads a request's body under the size limit; over it, the rest is not read. */
import type { IncomingMessage } from 'node:http';
import { Denial } from '../kernel/denial.ts';

const EMPTY = Buffer.alloc(0);

export function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer | Denial> {
  // Whoever left while the key was looked up says no more: no event would come.
  if (incoming.destroyed) return Promise.resolve(endedEarly());
  const declared = incoming.headers['content-length'];
  if (declared !== undefined && Number(declared) > bytesMax) return Promise.resolve(tooLarge(bytesMax));
  return new Promise((resolve) => {
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        incoming.pause();
        resolve(tooLarge(bytesMax));
      } else if (first === undefined) first = chunk;
      else (more ??= [first]).push(chunk);
    });
    incoming.on('end', () => resolve(more === undefined ? (first ?? EMPTY) : Buffer.concat(more, bytes)));
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
