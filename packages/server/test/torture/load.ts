/** Torture: sends planned calls without pause, and remembers what the client saw of each. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { chatBody } from '../gateway/support.ts';
import { type PlannedCall, PRICED, holdTokensOf } from './planned-call.ts';

/** `answered`: to its end; `cut`: its head alone; `unanswered`: the connection broke; `refused`: nobody listens. */
export interface ClientView {
  readonly ending: 'answered' | 'cut' | 'unanswered' | 'refused' | 'left';
  readonly status?: number | undefined;
}

export interface LoadOptions {
  /** Where the next call goes to: a process that listens may not be there any more. */
  readonly urlOf: (call: PlannedCall) => string;
  readonly secretOf: (call: PlannedCall) => string;
  /** The next call of a worker; those below `silent` get one that the provider never answers. */
  readonly next: (isSilent: boolean) => PlannedCall;
  readonly onEnded: (call: PlannedCall, view: ClientView) => void;
  readonly workers: number;
  readonly silent: number;
}

/** While nobody listens, the load asks again after so long. */
const PAUSE_MS = 25;

export class Load {
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #work: Promise<unknown>;
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  #answered = 0;
  #isStopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    const numbers = Array.from({ length: options.workers + options.silent }, (_, index) => index);
    this.#work = Promise.all(numbers.map((index) => this.#repeat(index < options.silent)));
  }

  /** Resolves once so many calls have been answered in all, or when the load has stopped. */
  answered(count: number): Promise<void> {
    if (this.#answered >= count || this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.add({ count, resolve });
    });
  }

  /** Sends nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { resolve } of this.#waiting) resolve();
    await this.#work;
    this.#agent.destroy();
  }

  async #repeat(isSilent: boolean): Promise<void> {
    while (!this.#isStopped) {
      const call = this.#options.next(isSilent);
      const view = await this.#send(call);
      this.#options.onEnded(call, view);
      if (view.ending === 'answered') this.#count();
      if (view.ending === 'refused' || view.ending === 'unanswered') {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  #count(): void {
    this.#answered++;
    for (const waiting of this.#waiting) {
      if (this.#answered < waiting.count) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }

  #send(call: PlannedCall): Promise<ClientView> {
    const body = chatBody({
      model: PRICED.name,
      user: userOf(call.number),
      max_tokens: holdTokensOf(call.number),
      stream: call.streamed,
    });
    const sent = request(`${this.#options.urlOf(call)}/v1/chat/completions`, {
      method: 'POST',
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#options.secretOf(call)}`,
        'content-type': 'application/json',
      },
    });
    return new Promise((resolve) => {
      let hasLeft = false;
      const timer =
        call.leavesAfterMs === undefined
          ? undefined
          : setTimeout(() => {
              hasLeft = true;
              sent.destroy();
            }, call.leavesAfterMs);
      const end = (view: ClientView) => {
        clearTimeout(timer);
        resolve(hasLeft ? { ending: 'left' } : view);
      };
      sent.on('error', (error: NodeJS.ErrnoException) =>
        end({ ending: error.code === 'ECONNREFUSED' ? 'refused' : 'unanswered' }),
      );
      sent.on('response', (incoming) => readAnswer(incoming, end));
      sent.end(JSON.stringify(body));
    });
  }
}

/** What a call gives as its `user`, by which the provider's bill and the trace of a process tell it. */
export function userOf(number: number): string {
  return `torture-call-${number};`;
}

function readAnswer(incoming: IncomingMessage, end: (view: ClientView) => void): void {
  const status = incoming.statusCode;
  incoming.on('error', () => end({ ending: 'cut', status }));
  incoming.on('aborted', () => end({ ending: 'cut', status }));
  incoming.on('end', () => end({ ending: incoming.complete ? 'answered' : 'cut', status }));
  incoming.resume();
}
