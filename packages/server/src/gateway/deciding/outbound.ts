/**
 * What a call is to the provider that serves it: the client's own bytes where the provider speaks its dialect, else the
 * same chat written in the provider's.
 */
import type { ChatRequest } from '../../dialects/chat.ts';
import type { AnswerContext, ClientDialect, ProviderDialect } from '../../dialects/dialect.ts';
import { findClientDialect, providerDialect } from '../../dialects/registry.ts';
import { Denial } from '../../kernel/denial.ts';
import { DIALECTS, type Dialect, type Provider } from '../../providers/provider.ts';
import type { Target } from '../../routing/target.ts';
import { parseCall } from '../reading/parse-call.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import { findForbidden } from '../reading/passed-on.ts';

export interface Outbound {
  /** In the provider's dialect. */
  readonly call: ParsedCall;
  /** Absent where the answer goes to the client as it comes. */
  readonly translation: Translation | undefined;
}

export interface Translation {
  readonly client: ClientDialect;
  readonly provider: ProviderDialect;
}

/** A chat as its client's dialect was read, once for all targets that need it. */
type ReadChat = { readonly client: ClientDialect; readonly chat: ChatRequest } | Denial | undefined;
const chats = new WeakMap<ParsedCall, NonNullable<ReadChat>>();

/** By provider and model, since targets are weighed against each other before one is asked. */
const addressed = new WeakMap<ParsedCall, Map<string, Outbound | Denial>>();

/** Refused by the name of the client's field where this provider has nothing like it. */
export function addressCall(call: ParsedCall, target: Target, provider: Provider): Outbound | Denial {
  const known = addressed.get(call) ?? new Map<string, Outbound | Denial>();
  const name = `${provider.id} ${target.upstreamModel}`;
  const outbound = known.get(name) ?? writeFor(call, target, provider);
  known.set(name, outbound);
  addressed.set(call, known);
  return outbound;
}

function writeFor(call: ParsedCall, target: Target, provider: Provider): Outbound | Denial {
  if (provider.endpoints.includes(call.endpoint)) {
    return findForbidden(call, provider) ?? { call, translation: undefined };
  }
  const read = readChat(call);
  if (read === undefined) return refuseEndpoint(call, target, provider);
  if (read instanceof Denial) return read;
  const side = providerDialect(dialectOf(provider));
  const body = side.writeRequest(read.chat, target.upstreamModel);
  if (body instanceof Denial) return body;
  const path = { endpoint: side.endpointFor(read.chat), model: target.upstreamModel };
  const written = parseCall(path, { body, query: 'alt=sse' });
  if (written instanceof Denial) return written;
  return { call: written, translation: { client: read.client, provider: side } };
}

export function answerContext(
  call: ParsedCall,
  of: { readonly target: Target; readonly requestId: string; readonly nowMs: number },
): AnswerContext {
  return {
    requestId: of.requestId,
    model: of.target.upstreamModel,
    createdAtS: Math.floor(of.nowMs / 1_000),
    wantsUsage: call.wantsUsageChunk,
  };
}

/** What a provider is asked in where the client's dialect is not its own. */
export function dialectOf(provider: Provider): Dialect {
  return provider.dialects[0] ?? 'openai';
}

function readChat(call: ParsedCall): ReadChat {
  const known = chats.get(call);
  if (known !== undefined) return known;
  const client = findClientDialect(call.endpoint);
  if (client === undefined) return undefined;
  const chat = client.readRequest(call);
  const read = chat instanceof Denial ? chat : { client, chat };
  chats.set(call, read);
  return read;
}

const PATHS: Readonly<Record<Dialect, string>> = {
  openai: '/v1/chat/completions',
  anthropic: '/v1/messages',
  gemini: '/v1beta/models/{model}:generateContent',
};

function refuseEndpoint(
  { endpoint }: ParsedCall,
  { provider, model }: Target,
  { dialects }: Provider,
): Denial {
  if (dialects.includes(DIALECTS[endpoint])) {
    return new Denial('unsupported_parameter', {
      param: 'model',
      message: `The provider '${provider}' of this model does not serve /v1/${endpoint.replaceAll('.', '/')}.`,
    });
  }
  const paths = dialects.map((each) => PATHS[each]).join(' or ');
  return new Denial('unsupported_parameter', {
    param: 'model',
    message: `The model '${provider}/${model}' cannot be asked for this: only chats are translated. Its own dialect is that of ${paths}.`,
  });
}
