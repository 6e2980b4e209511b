/** What becomes of a stream that was cut off, by the policy of the credential that it ran on. */
import type { Resolution } from '../../ledger/reservation.ts';
import { DIALECTS, type StreamSummary } from '../../providers/provider.ts';
import type { Decision } from '../deciding/decide.ts';
import { type Ending, settleStream } from './settle.ts';
import { StreamedBytes } from './streamed-bytes.ts';
import type { TokenCounter } from './token-counter.ts';

/** Keeps the stream only where its policy is to count it: all others cost nothing here. */
export class CutStream {
  readonly #decision: Decision;
  readonly #kept: StreamedBytes | undefined;

  constructor(decision: Decision) {
    this.#decision = decision;
    this.#kept = isCountable(decision) ? new StreamedBytes() : undefined;
  }

  keep(chunk: Buffer): void {
    this.#kept?.keep(chunk);
  }

  /**
   * Later only where what came of a stream that was cut off must be counted first. Of one that was paused more had come
   * than was read: nothing is known of that.
   */
  settle(
    counter: TokenCounter,
    summary: StreamSummary,
    of: { readonly ending: Ending; readonly wasPaused: boolean },
  ): Resolution | Promise<Resolution> {
    const { ending } = of;
    const isWhole = !summary.completed && !of.wasPaused;
    const streamed = isWhole ? this.#kept?.whole() : undefined;
    if (streamed === undefined) return settleStream(this.#decision, { summary, ending, isWhole });
    const { body, endpoint } = this.#decision.outbound.call;
    return counter
      .count({ dialect: DIALECTS[endpoint], request: body, streamed })
      .then((counted) => settleStream(this.#decision, { summary, ending, isWhole, counted }));
  }
}

/** Media have no text to count, legacy completions no decoder, and what costs nothing needs no count. */
function isCountable(decision: Decision): boolean {
  const { call } = decision.outbound;
  return (
    call.streamed &&
    decision.target.credential?.streamPolicy === 'streamed' &&
    call.endpoint === 'chat.completions' &&
    call.mediaParts === 0 &&
    decision.reservation.held > 0n
  );
}
