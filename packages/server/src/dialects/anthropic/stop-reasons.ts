/** Responsible for why an answer ended, in Anthropic's words and in neutral ones. */
import type { Stop, StopReason } from '../chat.ts';

/** `sequence` is what Anthropic says which of the client's was written. */
export function readStop(reason: string, sequence: unknown): Stop {
  const known = NEUTRAL.get(reason) ?? 'end';
  return typeof sequence === 'string' ? { reason: known, sequence } : { reason: known };
}

/** `stop_details` tells categories that only Anthropic has. */
export function writeStop(stop: Stop | undefined): object {
  return {
    stop_reason: stop === undefined ? null : ANTHROPIC[stop.reason],
    stop_sequence: stop?.sequence ?? null,
    stop_details: null,
  };
}

/** A turn is paused, `pause_turn`, for server tools alone, which nobody can have asked for. */
const NEUTRAL: ReadonlyMap<string, StopReason> = new Map<string, StopReason>([
  ['end_turn', 'end'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['stop_sequence', 'stop_sequence'],
  ['tool_use', 'tool_calls'],
  ['refusal', 'refusal'],
]);

/** Anthropic says the same of a model that will not answer and of one that its filters stopped. */
const ANTHROPIC: Readonly<Record<StopReason, string>> = {
  end: 'end_turn',
  length: 'max_tokens',
  stop_sequence: 'stop_sequence',
  tool_calls: 'tool_use',
  filter: 'refusal',
  refusal: 'refusal',
};
