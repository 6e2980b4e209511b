/** What becomes of a stream that was cut off, by the policy of the credential that it ran on. */
import type { Resolution } from '../../ledger/reservation.ts';
import { DIALECTS, type StreamSummary } from '../../providers/provider.ts';
import type { Decision } from '../decide.ts';
import { type Ending, settleStream } from '../settle.ts';
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

  /** Later only where what came must be counted first: the stream was cut off, and had not reported its usage. */
  settle(counter: TokenCounter, summary: StreamSummary, ending: Ending): Resolution | Promise<Resolution> {
    const streamed = this.#kept?.whole();
    if (streamed === undefined || summary.completed || 'usage' in summary.reading) {
      return settleStream(this.#decision, { summary, ending });
    }
    const { body, endpoint } = this.#decision.outbound.call;
    return counter
      .count({ dialect: DIALECTS[endpoint], request: body, streamed })
      .then((counted) => settleStream(this.#decision, { summary, ending, counted }));
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
