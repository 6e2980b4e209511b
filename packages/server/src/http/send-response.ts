/** Responsible for answers of the management API on their way to the client: whole, or piece by piece. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CLIENT_STALL_MS } from '../gateway/answering/stream-relay.ts';

/** A whole response in one write. */
export async function sendResponse(
  response: Response,
  to: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
): Promise<void> {
  if (response.headers.get('transfer-encoding') === 'chunked') return sendPieces(response, to.outgoing);
  const body = Buffer.from(await response.arrayBuffer());
  const headers = Object.fromEntries(response.headers);
  if (!to.incoming.complete) headers['connection'] = 'close';
  headers['content-length'] = String(body.length);
  to.outgoing.writeHead(response.status, headers).end(body);
}

/** Passes on what is streamed, as fast as the client reads; one that reads nothing for `CLIENT_STALL_MS` is cut off. */
async function sendPieces(response: Response, outgoing: ServerResponse): Promise<void> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  outgoing.once('close', () => void reader.cancel().catch(() => undefined));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.flushHeaders();
  try {
    while (!outgoing.destroyed) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!outgoing.write(value) && !(await hasRoom(outgoing))) break;
    }
  } finally {
    // Whatever it holds is let go of, also where the client left before it was asked for anything.
    void reader.cancel().catch(() => undefined);
  }
  outgoing.end();
}

function hasRoom(outgoing: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isRoom: boolean) => {
      clearTimeout(timer);
      outgoing.off('drain', onDrain).off('close', onClose);
      resolve(isRoom);
    };
    const onDrain = () => end(true);
    const onClose = () => end(false);
    const timer = setTimeout(() => {
      outgoing.destroy();
      end(false);
    }, CLIENT_STALL_MS);
    outgoing.once('drain', onDrain).once('close', onClose);
  });
}
