/**
 * Counts the tokens of a call from its bytes, where its provider did not come to say. OpenAI's newest public vocabulary is
 * the measure; other vendors cut text otherwise, so every count has a margin.
 */
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { ProviderDialect } from '../../dialects/dialect.ts';
import { EventReader } from '../../dialects/event-reader.ts';

/** Half as much again: smaller vocabularies, and older ones, need more tokens for the same text. */
const MARGIN = 1.5;
/** What a fast model, of a thousand tokens a second, writes while the provider learns that nobody listens. */
const IN_FLIGHT_TOKENS = 256;
/** What a provider's template may add around messages. */
const FRAMING_TOKENS = 1_000;
/** Cutting between two characters can only add tokens; a long run of one kind costs time by its square. */
const PIECE_CHARACTERS = 512;

/** Text is text, also where it looks like a vocabulary's marks. */
const PLAIN = { disallowedSpecial: new Set<string>() };

/** A request's text with all of its JSON: its keys stand for the marks that a template sets. */
export function countRequest(body: Buffer): number {
  return estimate([body.toString('utf8')]) + FRAMING_TOKENS;
}

/** All that a model was seen to say: text, reasoning, and what it wrote into tool calls; of an event that was cut off, all. */
export function countGenerated(dialect: ProviderDialect, streamed: Buffer): number {
  return estimate(readPieces(dialect, streamed)) + IN_FLIGHT_TOKENS;
}

function readPieces(dialect: ProviderDialect, streamed: Buffer): readonly string[] {
  const [reader, decoder] = [new EventReader(), dialect.createStreamDecoder()];
  const texts = new Map<string, string>();
  for (const sent of [...reader.push(streamed), ...reader.finish()]) {
    for (const event of decoder.push(sent)) {
      const text = 'text' in event ? event.text : event.kind === 'tool_arguments' ? event.json : undefined;
      const called = event.kind === 'tool_call' ? `${event.id} ${event.name}` : '';
      if (text === undefined && called === '') continue;
      const of = `${event.kind} ${'choice' in event ? event.choice : 0}`;
      texts.set(of, (texts.get(of) ?? '') + (text ?? called));
    }
  }
  return [...texts.values(), streamed.subarray(endOfEvents(streamed)).toString('utf8')];
}

/** Where the event begins that has no end. */
function endOfEvents(streamed: Buffer): number {
  const ends = BLANK_LINES.map((line) => {
    const at = streamed.lastIndexOf(line);
    return at < 0 ? 0 : at + line.length;
  });
  return Math.max(...ends);
}

const BLANK_LINES = ['\n\n', '\r\n\r\n'] as const;

/** No token is shorter than a byte. */
function estimate(texts: readonly string[]): number {
  let [tokens, bytes] = [0, 0];
  for (const text of texts) {
    bytes += Buffer.byteLength(text);
    for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
      tokens += countTokens(text.slice(at, at + PIECE_CHARACTERS), PLAIN);
    }
  }
  return Math.min(Math.ceil(tokens * MARGIN), bytes);
}
