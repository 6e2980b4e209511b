/** One thing to measure: where to send calls, with which headers, and whose processor time to read. */
import { renderChatRequest } from './payload.ts';
import type { TargetName } from './options.ts';

export interface Target {
  readonly name: TargetName;
  readonly chat: Call;
  readonly stream: Call;
  /** A stream that the relay probe provides. */
  readonly relay: Call;
  /** The same call of 1 KB with a bearer key and signed, where the server can tell them apart. */
  readonly signing?: { readonly bearer: Call; readonly signed: SignedCall };
  /** A call whose key is under budgets of one scope or of three, as it is told; absent where there are none. */
  readonly scopes?: { readonly call: Call; readonly setScopes: (count: 1 | 3) => Promise<void> };
  /** The server's own process; its children count too. */
  readonly pid: number;
}

export interface SignedCall extends Call {
  /** Signs as many calls as that, each with a nonce of its own, and returns the file that the load reads them from. */
  readonly prepare: (count: number) => { readonly headers: Record<string, string>; readonly file: string };
}

export interface Call {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function describeChatCall(url: string, model: string, headers: Record<string, string> = {}): Call {
  return { url, headers: { 'content-type': 'application/json', ...headers }, body: renderChatRequest(model) };
}

export function describeStreamCall(url: string, model: string, headers: Record<string, string> = {}): Call {
  return {
    url,
    headers: { 'content-type': 'application/json', ...headers },
    body: renderChatRequest(model, true),
  };
}

/** Sends one call of each sort and throws unless both arrive whole: a fast refusal must never be measured as speed. */
export async function checkTarget(target: Target): Promise<void> {
  const answer = await sendOnce(target.chat);
  if (!answer.includes('"finish_reason":"stop"')) {
    throw new Error(`${target.name} answered something else: ${answer.slice(0, 500)}`);
  }
  if (target.signing !== undefined) await sendOnce(target.signing.bearer);
  const stream = await sendOnce(target.stream);
  if (!stream.includes('t59 ') || !stream.trimEnd().endsWith('data: [DONE]')) {
    throw new Error(`${target.name} streamed something else: ${stream.slice(-500)}`);
  }
}

async function sendOnce(call: Call): Promise<string> {
  const response = await fetch(call.url, {
    method: 'POST',
    headers: call.headers,
    body: call.body,
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`${call.url} answered ${response.status}: ${text.slice(0, 500)}`);
  return text;
}
