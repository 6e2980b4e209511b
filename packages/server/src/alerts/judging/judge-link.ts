/** The audit thread's end of the rules: asks the event loop for them, and for everything that must be written. */
import type { MessagePort } from 'node:worker_threads';
import type { Finding, Rule, Sighting } from '../rule.ts';
import type { Asked, JudgeRequest, JudgeResponse } from './messages.ts';

interface Waiting {
  readonly resolve: (rules: readonly Rule[] | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** What is asked resolves once it is durable, and rejects where it may not be. */
export class JudgeLink {
  readonly #port: MessagePort;
  /** No more at once than nodes are followed: each thing is asked before the next is done. */
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #isStale = true;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (response: JudgeResponse) => this.#hear(response));
    // The thread lives for as long as something is asked, and else for its own reasons.
    port.unref();
  }

  /** The rules have changed since they were asked for. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** `undefined`: they are the same as the last time. */
  async rules(isFresh: boolean): Promise<readonly Rule[] | undefined> {
    // What is said from here on is about what is not in the answer.
    this.#isStale = false;
    try {
      return await this.#ask({ kind: 'rules', isFresh });
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  async fire(finding: Finding): Promise<void> {
    await this.#ask({ kind: 'fire', finding });
  }

  async remember(sightings: readonly Sighting[]): Promise<void> {
    await this.#ask({ kind: 'remember', sightings });
  }

  async advance(positions: ReadonlyMap<number, number>): Promise<void> {
    await this.#ask({ kind: 'advance', positions });
  }

  close(): void {
    this.#port.close();
  }

  #ask(asked: Asked): Promise<readonly Rule[] | undefined> {
    const id = this.#nextId++;
    this.#port.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.postMessage({ ...asked, id } satisfies JudgeRequest);
    });
  }

  #hear(response: JudgeResponse): void {
    if (response.kind === 'stale') {
      this.#isStale = true;
      return;
    }
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if (this.#waiting.size === 0) this.#port.unref();
    if (response.kind === 'failed') waiting?.reject(new Error(response.error));
    else waiting?.resolve(response.kind === 'rules' ? response.rules : undefined);
  }
}
