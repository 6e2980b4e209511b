/** For tests: answers and the pieces in which they are streamed, as models of any vendor give them. */
import type { AssistantPart, ChatAnswer, ChatEvent, Choice, Signature } from '../chat.ts';

export const USAGE = {
  inputTokens: 80,
  cachedInputTokens: 1024,
  cacheWriteTokens: 2,
  outputTokens: 12,
  reasoningTokens: 64,
};

export const SIGNED: Signature = { by: 'anthropic', value: 'c2lnbmF0dXJl' };

export function said(text: string): AssistantPart {
  return { kind: 'text', at: '', text };
}

export function called(id: string, name: string, argumentsJson: string): AssistantPart {
  return { kind: 'tool_call', at: '', id, name, argumentsJson };
}

export function answerOf(...choices: readonly Choice[]): ChatAnswer {
  return { id: 'answer-1', model: 'some-model', choices, usage: USAGE };
}

/** The pieces of a choice, its texts cut in two. */
export function eventsOf(choice: number, { parts, stop, logprobs }: Choice): readonly ChatEvent[] {
  const events = parts.flatMap((part) => eventsOfPart(choice, part));
  if (logprobs !== undefined) events.push({ kind: 'logprobs', choice, tokens: logprobs });
  return [...events, { kind: 'stop', choice, stop }];
}

export function streamOf({ id, model, choices, usage }: ChatAnswer): readonly ChatEvent[] {
  return [
    { kind: 'start', id, model },
    ...choices.flatMap((choice, index) => eventsOf(index, choice)),
    ...(usage === undefined ? [] : [{ kind: 'usage', usage } as const]),
    { kind: 'end' },
  ];
}

function eventsOfPart(choice: number, part: AssistantPart): ChatEvent[] {
  if (part.kind === 'tool_call') {
    const { id, name, signature, argumentsJson: json } = part;
    const begin = { kind: 'tool_call', choice, id, name } as const;
    const pieces = json === '{}' ? [] : halves(json);
    return [
      signature === undefined ? begin : { ...begin, signature },
      ...pieces.map((piece) => ({ kind: 'tool_arguments', choice, json: piece }) as const),
    ];
  }
  const events: ChatEvent[] = halves(part.text).map((text) => ({ kind: part.kind, choice, text }));
  if (part.kind === 'refusal' || part.signature === undefined) return events;
  const { signature } = part;
  const isRedacted = part.kind === 'reasoning' && part.isRedacted === true;
  return isRedacted
    ? [{ kind: 'signature', choice, signature, isRedacted }]
    : [...events, { kind: 'signature', choice, signature }];
}

function halves(text: string): readonly string[] {
  const points = Array.from(text);
  const half = Math.ceil(points.length / 2);
  return [points.slice(0, half).join(''), points.slice(half).join('')].filter((piece) => piece !== '');
}
