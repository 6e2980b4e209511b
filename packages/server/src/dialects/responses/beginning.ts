/**
 * Responsible for telling, in a stream of OpenAI's own that is passed on, when the model has begun to say something. Nothing
 * else of it is read: whether the call may still go elsewhere is all that is asked.
 */
import type { ChatEvent } from '../chat.ts';
import type { SentEvent, StreamDecoder } from '../dialect.ts';

export class ResponsesBeginning implements StreamDecoder {
  push({ name, data }: SentEvent): readonly ChatEvent[] {
    const type = name === '' ? (TYPE.exec(data)?.[1] ?? '') : name;
    if (BEFORE.has(type)) return [];
    // What it is that was said matters to nobody here.
    return [{ kind: FAILURES.has(type) ? 'failed' : 'end' }];
  }

  finish(): readonly ChatEvent[] {
    return [];
  }
}

/** They tell of the response, and not yet of what it says. */
const BEFORE: ReadonlySet<string> = new Set(['response.created', 'response.queued', 'response.in_progress']);
const FAILURES: ReadonlySet<string> = new Set(['response.failed', 'error']);
/** Servers that leave the event's name out begin their data with it. */
const TYPE = /^\{\s*"type"\s*:\s*"([\w.]+)"/;
