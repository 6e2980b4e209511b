/**
 * Responsible for writing a conversation as Gemini's `contents`. Results of calls stand in a content of their own, together
 * where they follow each other: Gemini wants as many of them there as its turn had calls.
 */
import type { AssistantPart, ChatRequest, JsonObject, Turn, UserPart } from '../chat.ts';
import type { Reading } from '../reading.ts';
import { parseArguments, wrapResult } from './function-json.ts';
import { PLACEHOLDER } from './thought-signatures.ts';
import { writeMedia, writeResultMedia } from './write-media.ts';
import { signatureOf, writeCall, writeText, writeThought } from './write-parts.ts';
import { thinkingControlOf } from './write-thinking.ts';

export function writeTurns(chat: ChatRequest, model: string, reading: Reading): readonly JsonObject[] {
  const writer = new TurnWriter(thinkingControlOf(model) === 'level', reading);
  for (const turn of chat.turns) writer.write(turn);
  return writer.contents;
}

interface Content {
  readonly role: 'user' | 'model';
  readonly parts: JsonObject[];
}

class TurnWriter {
  readonly #contents: Content[] = [];
  /** The last content, while it holds results alone. */
  #results: Content | undefined;
  /** The names of the functions that were called, by the ids of the calls. */
  readonly #names = new Map<string, string>();
  readonly #isSince3: boolean;
  readonly #reading: Reading;

  constructor(isSince3: boolean, reading: Reading) {
    this.#isSince3 = isSince3;
    this.#reading = reading;
  }

  get contents(): readonly JsonObject[] {
    return this.#contents.map(({ role, parts }) => ({ role, parts }));
  }

  write(turn: Turn): void {
    switch (turn.role) {
      case 'user':
        this.#writeUser(turn.parts);
        break;
      case 'assistant':
        this.#writeModel(turn.parts);
        break;
      case 'system':
        this.#reading.unsupported(
          turn.at,
          'is an instruction within the conversation, which Gemini does not have',
        );
    }
  }

  #writeUser(parts: readonly UserPart[]): void {
    let own: Content | undefined;
    for (const part of parts) {
      if (part.kind === 'tool_result') {
        this.#results ??= this.#begin('user');
        this.#results.parts.push(this.#writeResult(part));
        own = undefined;
      } else {
        this.#results = undefined;
        own ??= this.#begin('user');
        own.parts.push(this.#writeUserPart(part));
      }
    }
  }

  #writeModel(parts: readonly AssistantPart[]): void {
    this.#results = undefined;
    const written: JsonObject[] = [];
    let isFirstCall = true;
    for (const part of parts) {
      const json = this.#writeModelPart(part, isFirstCall);
      if (json !== undefined) written.push(json);
      if (part.kind === 'tool_call') isFirstCall = false;
    }
    // Nothing is left where all of it was another model's reasoning.
    if (written.length > 0) this.#begin('model').parts.push(...written);
  }

  #begin(role: Content['role']): Content {
    const content: Content = { role, parts: [] };
    this.#contents.push(content);
    return content;
  }

  #writeUserPart(part: Exclude<UserPart, { kind: 'tool_result' }>): JsonObject {
    if (part.kind === 'text') return { text: part.text };
    return writeMedia(part, this.#reading);
  }

  #writeModelPart(part: AssistantPart, isFirstCall: boolean): JsonObject | undefined {
    const signature = signatureOf(part);
    const own = signature?.by === 'gemini' ? signature.value : undefined;
    switch (part.kind) {
      case 'text':
        return writeText(part.text, own);
      case 'refusal':
        return writeText(part.text, undefined);
      case 'reasoning':
        // That of another vendor's model is not Gemini's to take back.
        return signature !== undefined && own === undefined ? undefined : writeThought(part.text, own);
      case 'tool_call': {
        const { id, name, argumentsJson, at } = part;
        const args = parseArguments(argumentsJson);
        if (args === undefined) this.#reading.unsupported(at, 'has arguments that are not a JSON object');
        this.#names.set(id, name);
        // Of calls side by side the first alone is signed, and since Gemini 3 it must be.
        const thoughtSignature = own ?? (isFirstCall && this.#isSince3 ? PLACEHOLDER : undefined);
        return writeCall({ id, name, args: args ?? {}, thoughtSignature });
      }
    }
  }

  #writeResult({ callId, content, isError, at }: Extract<UserPart, { kind: 'tool_result' }>): JsonObject {
    const name = this.#names.get(callId);
    if (name === undefined) this.#reading.unsupported(at, 'is the result of no call before it');
    const texts: string[] = [];
    const parts: JsonObject[] = [];
    for (const part of content) {
      if (part.kind !== 'text') {
        if (!this.#isSince3)
          this.#reading.unsupported(part.at, 'is in a result, which is text for this model');
        parts.push(writeResultMedia(part, this.#reading));
      } else if (parts.length === 0) texts.push(part.text);
      else
        this.#reading.unsupported(part.at, 'comes after media, and Gemini puts the text of a result first');
    }
    const response = wrapResult({ texts, isError });
    return {
      functionResponse: { id: callId, name: name ?? '', response, ...(parts.length === 0 ? {} : { parts }) },
    };
  }
}
