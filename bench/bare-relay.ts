/**
 * What Node.js itself costs: a relay of the same parts as Keyfold's, node:http and undici, that governs nothing.
 *
 * It reads `BENCH_BARE_PORT`, where it listens, and `BENCH_BARE_ROUTES`, a JSON object of path prefixes and origins.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool } from 'undici';

const CONNECTIONS_MAX = 1024;

const routes = Object.entries(
  JSON.parse(process.env['BENCH_BARE_ROUTES'] ?? '{}') as Record<string, string>,
).map(([prefix, origin]) => ({ prefix, pool: new Pool(origin, { connections: CONNECTIONS_MAX }) }));

createServer((incoming, outgoing) => {
  if (incoming.url === '/ready') {
    outgoing.end('ready');
    return;
  }
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => relay(incoming, outgoing, Buffer.concat(chunks)));
}).listen(Number(process.env['BENCH_BARE_PORT']), '127.0.0.1');

function relay(incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer): void {
  const path = incoming.url ?? '/';
  const route = routes.find(({ prefix }) => path.startsWith(prefix));
  if (route === undefined) {
    outgoing.writeHead(404).end();
    return;
  }
  const headers = { 'content-type': 'application/json' };
  route.pool.dispatch(
    { method: 'POST', path, headers, body },
    {
      onRequestStart() {},
      onResponseStart(_controller, status, answered) {
        outgoing.writeHead(status, { 'content-type': answered['content-type'] as string });
      },
      onResponseData(controller, chunk) {
        if (outgoing.write(chunk)) return;
        controller.pause();
        outgoing.once('drain', () => controller.resume());
      },
      onResponseEnd() {
        outgoing.end();
      },
      onResponseError() {
        outgoing.destroy();
      },
    },
  );
}
