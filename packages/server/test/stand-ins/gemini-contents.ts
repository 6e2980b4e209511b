/**
 * Test support: the order of Gemini's contents, and what they say ("Function calling" and "Thought signatures",
 * ai.google.dev/gemini-api/docs).
 */
import { type Fields, fieldsIn, refuse } from './strict.ts';
import { SIGNATURE } from './gemini-answer.ts';
import type { Heard } from './vendor.ts';

/** What stands in place of the signature of a call that no Gemini has made. */
const PLACEHOLDER = 'skip_thought_signature_validator';

/** Throws `BadRequest` for an order that Gemini refuses. The form has been checked. */
export function readContents(body: Fields): Pick<Heard, 'system' | 'turns' | 'signaturesBack'> {
  const turns: string[] = [];
  let calls: readonly Fields[] = [];
  let signaturesBack = 0;
  for (const [index, { role, parts }] of joinTurns(fieldsIn(body['contents'])).entries()) {
    const at = `contents.${index}`;
    const results = parts.filter((part) => part['functionResponse'] !== undefined);
    if (role === 'model') {
      if (index === 0) refuse(at, 'the first content must be of the user');
      calls = parts.filter((part) => part['functionCall'] !== undefined);
      checkSigned(calls, at);
      signaturesBack += countSignatures(parts, at);
      turns.push(...modelLines(parts));
    } else if (results.length > 0 || calls.length > 0) {
      if (results.length !== parts.length || results.length !== calls.length) {
        refuse(at, 'the number of function response parts must equal that of the function calls before');
      }
      turns.push(...results.map((result) => resultLine(result, calls, at)));
      calls = [];
    } else {
      turns.push(`user: ${parts.map(textOf).join(' ')}`);
    }
  }
  if (calls.length > 0) refuse('contents', 'a function call must be followed by its response');
  const system = body['systemInstruction'] as Fields | undefined;
  return { system: fieldsIn(system?.['parts']).map(textOf).join('\n\n'), turns, signaturesBack };
}

interface Turn {
  readonly role: unknown;
  readonly parts: readonly Fields[];
}

/** Google's own chat keeps a stream as it came, a content for each event. */
function joinTurns(contents: readonly Fields[]): readonly Turn[] {
  const turns: { role: unknown; parts: Fields[] }[] = [];
  for (const { role, parts } of contents) {
    const last = turns.at(-1);
    if (last?.role === 'model' && role === 'model') last.parts.push(...fieldsIn(parts));
    else turns.push({ role, parts: [...fieldsIn(parts)] });
  }
  return turns;
}

/** Since Gemini 3 the first call of a step is signed. */
function checkSigned(calls: readonly Fields[], at: string): void {
  if (calls.length > 0 && (calls[0]?.['thoughtSignature'] ?? '') === '') {
    refuse(at, 'Function call is missing a thought_signature');
  }
}

function countSignatures(parts: readonly Fields[], at: string): number {
  const signatures = parts.map((part) => part['thoughtSignature'] ?? '').filter((written) => written !== '');
  for (const written of signatures) {
    if (written !== SIGNATURE && written !== PLACEHOLDER) refuse(at, 'Thought signature is not valid');
  }
  return signatures.filter((written) => written === SIGNATURE).length;
}

function modelLines(parts: readonly Fields[]): readonly string[] {
  const lines: string[] = [];
  let isText = false;
  for (const part of parts) {
    const call = part['functionCall'] as { name: string; args?: unknown } | undefined;
    if (call !== undefined) lines.push(`assistant: call ${call.name} ${JSON.stringify(call.args ?? {})}`);
    const text = part['thought'] !== true && typeof part['text'] === 'string' ? part['text'] : '';
    if (text !== '' && isText) lines.push(`${lines.pop()}${text}`);
    else if (text !== '') lines.push(`assistant: ${text}`);
    isText = text !== '' || (isText && call === undefined);
  }
  return lines;
}

function resultLine({ functionResponse }: Fields, calls: readonly Fields[], at: string): string {
  const { name, response } = functionResponse as { name: string; response: Fields };
  const called = calls.map((call) => (call['functionCall'] as { name: string }).name);
  if (!called.includes(name)) refuse(at, 'names a function that was not called');
  const isOutput = Object.keys(response).join() === 'output';
  return `result ${name}: ${isOutput ? String(response['output']) : JSON.stringify(response)}`;
}

function textOf(part: Fields): string {
  const blob = part['inlineData'] as { mimeType: string; data: string } | undefined;
  const file = part['fileData'] as { fileUri: string } | undefined;
  if (file !== undefined) return `[${file.fileUri}]`;
  return blob === undefined ? String(part['text']) : `[${blob.mimeType} ${blob.data}]`;
}
