/** Gives the client its answer: as the provider sent it, or translated where the client speaks another dialect. */
import { FirstToken } from '../../dialects/first-token.ts';
import { providerDialect } from '../../dialects/registry.ts';
import { ResponsesBeginning } from '../../dialects/responses/beginning.ts';
import { StreamTranslator } from '../../dialects/stream-translator.ts';
import type { Nanos } from '@keyfold/protocol';
import type { Endpoint, ModelCall, Provider } from '../../providers/provider.ts';
import type { ClientExchange } from '../client-exchange.ts';
import type { Decision } from '../deciding/decide.ts';
import { answerContext, dialectOf } from '../deciding/outbound.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import type { ServedCall } from '../../idempotency/served-call.ts';
import type { KeptSteps } from '../../ledger/reservation.ts';
import { RecordedStream } from '../repeating/recorded-stream.ts';
import { NOT_CACHED, callHeaders } from './response-headers.ts';
import { StreamRelay } from './stream-relay.ts';

/** Whose streams a provider's side of a dialect reads. */
const DECODED: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'chat.completions',
  'messages',
  'streamGenerateContent',
]);

const EVENT_STREAM = 'text/event-stream; charset=utf-8';

/** Whose answers may be something else than JSON. */
const UNTYPED: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'audio.speech',
  'audio.transcriptions',
  'audio.translations',
]);
/** Nothing that a browser would run. */
const ANSWER_TYPE =
  /^(?:audio\/[\w.+-]{1,40}|text\/(?:plain|vtt|srt)|application\/(?:json|x-subrip|octet-stream))(?: ?; ?[\w.+-]{1,40}="?[\w.+-]{1,40}"?)?$/i;

export class ClientAnswer {
  readonly #call: ParsedCall;
  readonly #decision: Decision;
  readonly #exchange: ClientExchange;
  readonly #served: ServedCall | undefined;
  readonly #nowMs: number;
  #recorded: RecordedStream | undefined;

  constructor(of: {
    readonly call: ParsedCall;
    readonly decision: Decision;
    readonly exchange: ClientExchange;
    readonly served: ServedCall | undefined;
    readonly nowMs: number;
  }) {
    this.#call = of.call;
    this.#decision = of.decision;
    this.#exchange = of.exchange;
    this.#served = of.served;
    this.#nowMs = of.nowMs;
  }

  /** The bytes of a whole answer; `undefined` where the provider's is none. */
  write(body: Buffer): Buffer | undefined {
    const { translation } = this.#decision.outbound;
    if (translation === undefined) return body;
    const answer = translation.provider.readAnswer(body);
    return answer === undefined ? undefined : translation.client.writeAnswer(answer, this.#context());
  }

  /** Of a whole answer; `undefined` where the provider's is none that this call can have. */
  contentType(sent: string | undefined): string | undefined {
    if (!UNTYPED.has(this.#call.endpoint)) return 'application/json';
    const type = sent ?? 'application/octet-stream';
    return ANSWER_TYPE.test(type) ? type : undefined;
  }

  respond(status: number, answer: Buffer, of: { readonly contentType: string; readonly cost: Nanos }): void {
    const headers = { 'content-type': of.contentType, ...callHeaders(this.#decision, of.cost) };
    this.#exchange.respond(status, headers, answer);
  }

  /** `keepsBack`: the call may still go elsewhere until the model has said something. */
  createRelay(of: {
    readonly provider: Provider;
    readonly modelCall: ModelCall;
    readonly keepsBack: boolean;
    readonly onBegun: () => void;
    readonly resume: () => void;
  }): StreamRelay {
    const { provider, modelCall } = of;
    return new StreamRelay({
      open: () => {
        of.onBegun();
        const stream = this.#exchange.startStream(200, {
          'content-type': EVENT_STREAM,
          ...NOT_CACHED,
          ...callHeaders(this.#decision, undefined),
        });
        if (this.#served !== undefined) this.#recorded = new RecordedStream(stream);
        return this.#recorded ?? stream;
      },
      tap: provider.createStreamTap(modelCall),
      translator: this.#createTranslator(),
      firstToken: of.keepsBack ? createFirstToken(provider, modelCall.endpoint) : undefined,
      resume: of.resume,
    });
  }

  /** What a repeat of the call is given, where there may be one: this answer. */
  keep(
    status: number,
    answer: { readonly body: Buffer; readonly contentType: string },
  ): KeptSteps | undefined {
    return this.#keepAs(status, { ...answer, streamed: false });
  }

  /** As `keep`, of the stream that the client was sent. */
  keepStream(): KeptSteps | undefined {
    return this.#keepAs(200, { body: this.#recorded?.sent, contentType: EVENT_STREAM, streamed: true });
  }

  #keepAs(
    status: number,
    answer: { readonly body: Buffer | undefined; readonly contentType: string; readonly streamed: boolean },
  ): KeptSteps | undefined {
    const { body } = answer;
    const { target, clampedTo } = this.#decision;
    const { provider, model } = target;
    const { requestId } = this.#exchange;
    return this.#served?.keep(
      body === undefined ? undefined : { ...answer, body, status, provider, model, clampedTo, requestId },
    );
  }

  #createTranslator(): StreamTranslator | undefined {
    const { translation } = this.#decision.outbound;
    if (translation === undefined) return undefined;
    return new StreamTranslator(
      translation.provider.createStreamDecoder(),
      translation.client.createStreamEncoder(this.#context()),
    );
  }

  #context() {
    const { requestId } = this.#exchange;
    return answerContext(this.#call, { target: this.#decision.target, requestId, nowMs: this.#nowMs });
  }
}

/** Where there is no decoder the first bytes are the beginning. */
function createFirstToken(provider: Provider, endpoint: Endpoint): FirstToken | undefined {
  if (endpoint === 'responses') return new FirstToken(new ResponsesBeginning());
  return DECODED.has(endpoint)
    ? new FirstToken(providerDialect(dialectOf(provider)).createStreamDecoder())
    : undefined;
}
