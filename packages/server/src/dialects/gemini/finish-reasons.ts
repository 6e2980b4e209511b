/** Responsible for why an answer ended: Gemini's `finishReason` and the reasons of the neutral form. */
import type { StopReason } from '../chat.ts';

/**
 * `undefined` while the answer goes on. Gemini stops for calls as for anything else, and does not tell its sequences apart.
 * A reason that is not known is one of the many for which it cuts an answer off.
 */
export function readFinishReason(reason: unknown, hasCalls: boolean): StopReason | undefined {
  if (!isReason(reason)) return undefined;
  if (reason === 'STOP') return hasCalls ? 'tool_calls' : 'end';
  return LENGTH.has(reason) ? 'length' : 'filter';
}

/** Each enumeration of reasons has one value that says nothing. */
export function isReason(reason: unknown): reason is string {
  return typeof reason === 'string' && reason !== '' && !reason.endsWith('_UNSPECIFIED');
}

export function writeFinishReason(reason: StopReason): string {
  return FINISH_REASONS[reason];
}

/** For an answer with a call whose arguments are no object, as another vendor's model may write them. */
export const MALFORMED_CALL = 'MALFORMED_FUNCTION_CALL';

/** The second is the limit of one request, after which Google's own clients send another. */
const LENGTH: ReadonlySet<string> = new Set(['MAX_TOKENS', 'CONTINUATION']);

const FINISH_REASONS: Readonly<Record<StopReason, string>> = {
  end: 'STOP',
  length: 'MAX_TOKENS',
  tool_calls: 'STOP',
  stop_sequence: 'STOP',
  filter: 'SAFETY',
  refusal: 'SAFETY',
};
