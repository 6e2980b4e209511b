/** The audit thread: follows the log on connections of its own, so that neither a search nor an index takes time from calls. */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { AuditFollower } from './audit/following/audit-follower.ts';
import type { AuditRequest, AuditResponse, AuditThreadSettings } from './audit/following/messages.ts';
import { describeError } from './kernel/fault.ts';
import { openReader } from './storage/reader.ts';
import { openSearchIndex } from './storage/search-index.ts';

/** Between two looks for new records: what is committed is on the streams within it. */
const LOOK_EVERY_MS = 100;
/** After a failure, such as a database that is away. */
const FAILURE_PAUSE_MS = 1_000;

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');
const say = (response: AuditResponse) => port.postMessage(response);
const trouble = (error: unknown) => say({ kind: 'trouble', error: describeError(error) });

const { place } = workerData as AuditThreadSettings;
const reader = await openReader(place);
const index = await openSearchIndex(place);
const follower = new AuditFollower({
  reader,
  index,
  monotonicMs: () => performance.now(),
  send: (stream, piece) => say({ kind: 'piece', stream, piece }),
  onFailure: trouble,
});
const ending = new AbortController();

port.on('message', (request: AuditRequest) => {
  void serve(request);
});
say({ kind: 'ready' });
// Apart: a reader of a stream does not wait for the index.
await Promise.all([repeat(() => follower.turn()), repeat(() => follower.indexTurn())]);
await index.close();
await reader.close();
port.close();

async function serve(request: AuditRequest): Promise<void> {
  switch (request.kind) {
    case 'search':
      try {
        say({ kind: 'found', id: request.id, page: await follower.search(request.query) });
      } catch (error) {
        say({ kind: 'failed', id: request.id, error: describeError(error) });
      }
      return;
    case 'open':
      try {
        const isKnown = await follower.openStream(request.stream, request.filter, request.after);
        if (!isKnown) say({ kind: 'unknown place', stream: request.stream });
      } catch (error) {
        trouble(error);
        say({ kind: 'unknown place', stream: request.stream });
      }
      return;
    case 'taken':
      follower.taken(request.stream, request.characters);
      return;
    case 'close':
      follower.closeStream(request.stream);
      return;
    case 'end':
      ending.abort();
  }
}

/** One turn after another, at once where there is more to do. */
async function repeat(turn: () => Promise<boolean>): Promise<void> {
  let failed = '';
  while (!ending.signal.aborted) {
    let pauseMs = LOOK_EVERY_MS;
    try {
      if (await turn()) pauseMs = 0;
      failed = '';
    } catch (error) {
      // Said once: the next turns will most likely fail in the same way.
      const said = describeError(error);
      if (said !== failed) trouble(error);
      failed = said;
      pauseMs = FAILURE_PAUSE_MS;
    }
    await pause(pauseMs, undefined, { signal: ending.signal }).catch(() => undefined);
  }
}
