/** Responsible for joining the parts of one kind: a message of chat completions has one field for each kind. */
import type { AssistantPart } from '../chat.ts';

/** All words of one kind together; `undefined` where there is no such part. */
export function joinText(
  parts: readonly AssistantPart[],
  kind: 'text' | 'refusal' | 'reasoning',
): string | undefined {
  const texts = parts.flatMap((part) => (part.kind !== 'tool_call' && part.kind === kind ? [part.text] : []));
  return texts.length === 0 ? undefined : texts.join('');
}
