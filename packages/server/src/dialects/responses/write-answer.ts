/** Responsible for a whole answer to a client of the Responses API, which has one choice. */
import type { AssistantPart, ChatAnswer } from '../chat.ts';
import type { AnswerContext } from '../dialect.ts';
import { type ChoiceEvent, OutputWriter } from './write-output.ts';
import { headOf, writeEnded } from './write-response.ts';

export function writeAnswer(answer: ChatAnswer, context: AnswerContext): Buffer {
  const head = headOf(answer, context);
  const output = new OutputWriter(head.id, () => {});
  const choice = answer.choices[0];
  if (choice !== undefined) {
    const { parts, stop, logprobs } = choice;
    const lastText = parts.findLastIndex((part) => part.kind === 'text');
    for (const [index, part] of parts.entries()) {
      for (const event of eventsOf(part)) {
        output.push(event);
        const isTokens = event.kind === 'text' && index === lastText && logprobs !== undefined;
        if (isTokens) output.push({ kind: 'logprobs', choice: 0, tokens: logprobs });
      }
    }
    output.push({ kind: 'stop', choice: 0, stop });
  }
  return Buffer.from(JSON.stringify(writeEnded(head, output, answer.usage)));
}

/** The pieces of a part, in one each. */
function eventsOf(part: AssistantPart): readonly ChoiceEvent[] {
  const choice = 0;
  if (part.kind === 'refusal') return [{ kind: 'refusal', choice, text: part.text }];
  if (part.kind === 'tool_call') {
    return [
      { ...part, choice },
      { kind: 'tool_arguments', choice, json: part.argumentsJson },
    ];
  }
  const { kind, text, signature } = part;
  const said = { kind, choice, text } as const;
  if (signature === undefined) return [said];
  const isRedacted = part.kind === 'reasoning' && part.isRedacted === true;
  return isRedacted
    ? [{ kind: 'signature', choice, signature, isRedacted }]
    : [said, { kind: 'signature', choice, signature }];
}
