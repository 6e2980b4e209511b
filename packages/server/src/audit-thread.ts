/** The audit thread: follows the log on connections of its own, so that no search, index or alert rule takes time from calls. */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { AlertWatch } from './alerts/judging/alert-watch.ts';
import { JudgeLink } from './alerts/judging/judge-link.ts';
import { RuleFollower } from './alerts/judging/rule-follower.ts';
import { AuditFollower } from './audit/following/audit-follower.ts';
import type { AuditRequest, AuditResponse, AuditThreadSettings } from './audit/following/messages.ts';
import { RecordSource } from './audit/reading/record-source.ts';
import { systemClock } from './kernel/clock.ts';
import { describeError } from './kernel/fault.ts';
import { openReader } from './storage/open-reader.ts';
import { openSearchIndex } from './storage/open-search-index.ts';

/** Between two looks for new records: what is committed is on the streams within it. */
const LOOK_EVERY_MS = 100;
/** After a failure, such as a database that is away. */
const FAILURE_PAUSE_MS = 1_000;

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');
const say = (response: AuditResponse) => port.postMessage(response);
const trouble = (error: unknown) => say({ kind: 'trouble', error: describeError(error) });

const { place, judging } = workerData as AuditThreadSettings;
const reader = await openReader(place);
const link = new JudgeLink(judging);
const rules = new RuleFollower({
  reader,
  source: new RecordSource(reader),
  observer: new AlertWatch({ reader, clock: systemClock, link }),
  clock: systemClock,
  advance: (positions) => link.advance(positions),
  onUnreadable: trouble,
});
const index = await openSearchIndex(place);
const follower = new AuditFollower({
  reader,
  index,
  monotonicMs: () => performance.now(),
  send: (stream, piece) => say({ kind: 'piece', stream, piece }),
  onEdges: (edges) => rules.see(edges),
  onFailure: trouble,
});
const ending = new AbortController();

port.on('message', (request: AuditRequest) => {
  void serve(request);
});
say({ kind: 'ready' });
// None keeps another from going on.
await Promise.all(
  [() => follower.turn(), () => follower.indexTurn(), () => rules.turn()].map((turn) => keepTurning(turn)),
);
await rules.finish().catch(trouble);
link.close();
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

/** Turns until the thread ends; `turn` says whether there is more to do at once. */
async function keepTurning(turn: () => Promise<boolean>): Promise<void> {
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
