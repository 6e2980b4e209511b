/** Test support: Gemini's answers, whole and streamed (`GenerateContentResponse` of `@google/genai`). */
import type { Fields } from './strict.ts';
import { type Saying, type Tokens, halves } from './vendor.ts';

/** Of every first call, and of every text that was thought about. */
export const SIGNATURE = 'c2lnbmVkIGJ5IEdlbWluaQ==';

export function writeContent(path: string, body: Fields, saying: Saying): Fields {
  return answerOf(path, {
    candidates: [
      candidateOf(
        partsOf(body, saying).map(({ whole }) => whole),
        endOf(saying),
      ),
    ],
    usageMetadata: usageOf(saying.tokens),
  });
}

/** Usage so far comes with each event, and the reason of the end with the last. */
export function writeContentStream(path: string, body: Fields, saying: Saying): string {
  const pieces = partsOf(body, saying).flatMap(({ deltas }) => deltas);
  const events = pieces.map((piece, index) => {
    const isLast = index === pieces.length - 1;
    const tokens = isLast ? saying.tokens : { ...saying.tokens, output: 1, reasoning: 0 };
    const candidate = candidateOf([piece], isLast ? endOf(saying) : {});
    const event = answerOf(path, { candidates: [candidate], usageMetadata: usageOf(tokens) });
    return `data: ${JSON.stringify(event)}\r\n\r\n`;
  });
  if (saying.breaksOff !== true) return events.join('');
  const error = { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' };
  return `${events.slice(0, -1).join('')}data: ${JSON.stringify({ error })}\r\n\r\n`;
}

interface Piece {
  readonly whole: Fields;
  readonly deltas: readonly Fields[];
}

/** Thoughts are shown where that was asked for. Calls have no ids, as those of older models. */
function partsOf(body: Fields, { reasoning, text, calls = [] }: Saying): readonly Piece[] {
  const config = (body['generationConfig'] ?? {}) as { thinkingConfig?: { includeThoughts?: boolean } };
  const pieces: Piece[] = [];
  if (reasoning !== undefined && config.thinkingConfig?.includeThoughts === true) {
    const deltas = halves(reasoning).map((piece) => ({ text: piece, thought: true }));
    pieces.push({ whole: { text: reasoning, thought: true }, deltas });
  }
  if (text !== undefined) {
    const isSigned = reasoning !== undefined && calls.length === 0;
    const signed = isSigned ? { thoughtSignature: SIGNATURE } : {};
    const deltas: Fields[] = halves(text).map((piece) => ({ text: piece }));
    pieces.push({
      whole: { text, ...signed },
      deltas: isSigned ? [...deltas, { text: '', ...signed }] : deltas,
    });
  }
  for (const [index, { name, args }] of calls.entries()) {
    const call = { functionCall: { name, args }, ...(index === 0 ? { thoughtSignature: SIGNATURE } : {}) };
    pieces.push({ whole: call, deltas: [call] });
  }
  return pieces;
}

function candidateOf(parts: readonly Fields[], end: Fields): Fields {
  return { content: { role: 'model', parts }, index: 0, ...end };
}

function endOf({ stop }: Saying): Fields {
  return { finishReason: stop === 'length' ? 'MAX_TOKENS' : 'STOP' };
}

function answerOf(path: string, answer: Fields): Fields {
  const [, model] = /models\/([^:]+):/.exec(path) ?? [];
  return { ...answer, modelVersion: model, responseId: 'stand-in' };
}

/** A count of zero is left out. */
function usageOf({ input, cached, output, reasoning }: Tokens): Fields {
  const counts = {
    promptTokenCount: input + cached,
    cachedContentTokenCount: cached,
    candidatesTokenCount: output,
    thoughtsTokenCount: reasoning,
    totalTokenCount: input + cached + output + reasoning,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
