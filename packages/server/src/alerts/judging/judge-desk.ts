/** The event loop's end of the rules: it vouches for them, since it has the keys to their MACs, and writes what was found. */
import type { MessagePort } from 'node:worker_threads';
import { describeError } from '../../kernel/fault.ts';
import type { Database } from '../../storage/database.ts';
import type { FiringStore } from '../firing-store.ts';
import type { Finding, Rule, Sighting } from '../rule.ts';
import type { RuleStore } from '../rule-store.ts';
import type { SightingStore } from '../sighting-store.ts';
import type { JudgeRequest, JudgeResponse } from './messages.ts';

/** Committed together. */
const SIGHTINGS_AT_ONCE = 100;

export interface DeskRooms {
  readonly database: Database;
  readonly alertRules: RuleStore;
  readonly firings: FiringStore;
  readonly sightings: SightingStore;
  /** Resolves when it has fired, durably, or need not. */
  readonly fire: (finding: Finding) => Promise<void>;
  /** Of a rule that was edited outside Keyfold. */
  readonly onEdited: (error: Error) => void;
}

/** Answers whoever judges at the other end of a port, until that is closed. */
export function serveJudge(port: MessagePort, rooms: DeskRooms): void {
  const closed = new AbortController();
  let told: readonly Rule[] | undefined;
  const say = (response: JudgeResponse) => port.postMessage(response);
  port.on('close', () => closed.abort());
  port.on('message', (request: JudgeRequest) => {
    serve(request).catch((error: unknown) =>
      say({ kind: 'failed', id: request.id, error: describeError(error) }),
    );
  });
  // A process is not kept alive by it.
  port.unref();
  rooms.alertRules.onForgotten(() => say({ kind: 'stale' }), closed.signal);

  async function serve(request: JudgeRequest): Promise<void> {
    const { id } = request;
    switch (request.kind) {
      case 'rules': {
        if (request.isFresh) rooms.alertRules.expire();
        const rules = await rooms.alertRules.followed(rooms.onEdited);
        say({ kind: 'rules', id, rules: rules === told ? undefined : rules });
        told = rules;
        return;
      }
      case 'fire':
        await rooms.fire(request.finding);
        break;
      case 'remember':
        await remember(rooms, request.sightings);
        break;
      case 'advance':
        await rooms.database.commit({ steps: rooms.firings.advanceSteps(request.positions) }, 'soon');
    }
    say({ kind: 'done', id });
  }
}

async function remember({ database, sightings }: DeskRooms, all: readonly Sighting[]): Promise<void> {
  for (let at = 0; at < all.length; at += SIGHTINGS_AT_ONCE) {
    const page = all.slice(at, at + SIGHTINGS_AT_ONCE);
    await database.commit({ steps: page.flatMap((each) => sightings.rememberSteps(each)) }, 'soon');
  }
}
