/** Makes up for a client's wrong clock: learns the server's time from the answer that refuses a request for its time. */
import { TIMESTAMP } from '@keyfold/protocol';

const TIME_HEADER = 'x-keyfold-time';
/** What a whole second and the way there and back account for. */
const TOLERANCE_MS = 2_000;
/**
 * A clock that is further off cannot check certificates either. And whoever answers in the server's place shall not be
 * able to have requests signed that only hold next year.
 */
const OFFSET_MS_MAX = 24 * 3600 * 1000;

export interface ServerAnswer {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
}

export class ClockCorrection {
  readonly #clientNowMs: () => number;
  #offsetMs = 0;

  constructor(nowMs: () => number = Date.now) {
    this.#clientNowMs = nowMs;
  }

  /** How far the server's clock is ahead of the client's, as far as is known. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** The server's time, as far as is known. */
  nowMs(): number {
    return this.#clientNowMs() + this.#offsetMs;
  }

  /**
   * Learns from a 401 that tells the server's time, and from nothing else. True when the refused request was signed with
   * another offset than the one that holds now, so that it is worth signing it again, once.
   */
  learnFrom({ status, headers }: ServerAnswer, signedWithOffsetMs: number): boolean {
    const time = status === 401 ? headers.get(TIME_HEADER) : null;
    if (time === null || !TIMESTAMP.test(time)) return false;
    const offsetMs = Number(time) * 1000 - this.#clientNowMs();
    if (Math.abs(offsetMs) > OFFSET_MS_MAX) return false;
    if (Math.abs(offsetMs - signedWithOffsetMs) <= TOLERANCE_MS) return false;
    this.#offsetMs = offsetMs;
    return true;
  }
}
