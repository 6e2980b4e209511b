/** Sends a decided call, relays its answer, and resolves its reservation exactly once, however it ends. */
import type { IncomingHttpHeaders } from 'node:http';
import { ERRORS } from '@keyfold/protocol';
import type { CredentialStore } from '../credentials/credential-store.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Resolution } from '../ledger/reservation.ts';
import type { ModelCall, Provider } from '../providers/provider.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type Exchange, type UpstreamReceiver, send } from '../upstream/send.ts';
import type { UpstreamFault } from '../upstream/upstream-fault.ts';
import type { ClientExchange } from './client-exchange.ts';
import { countCall } from './count-call.ts';
import type { Decision } from './decide.ts';
import type { ParsedCall } from './parse-call.ts';
import { explainFailure, explainFault } from './provider-failure.ts';
import { callHeaders } from './response-headers.ts';
import { release, settleAtHold, settleFailed, settleReported, tokensOf } from './settle.ts';
import { StreamRelay } from './stream-relay.ts';
import type { Targets } from './targets.ts';

export interface Dispatcher {
  readonly targets: Targets;
  readonly credentials: CredentialStore;
}

export interface Run {
  readonly call: ParsedCall;
  readonly decision: Decision;
  readonly exchange: ClientExchange;
}

interface RunRooms {
  readonly dispatcher: Dispatcher;
  readonly ledger: Ledger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** The largest answer that is gathered before it is sent on; streams are not gathered. */
const ANSWER_BYTES_MAX = 64 * 1_024 * 1_024;
/** Status that is recorded when the client left before its answer, as nginx does. */
const CLIENT_GONE = 499;

/** Resolves when the call has ended on both sides and its resolution is handed to the ledger. */
export function runCall(rooms: RunRooms, run: Run): Promise<void> {
  return new Promise((resolve) => {
    new CallRun(rooms, run, resolve).start();
  });
}

class CallRun implements UpstreamReceiver {
  readonly #rooms: RunRooms;
  readonly #run: Run;
  readonly #onOver: () => void;
  readonly #provider: Provider;
  readonly #modelCall: ModelCall;
  #upstream: Exchange | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #stream: StreamRelay | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isResolved = false;
  #isClientGone = false;

  constructor(rooms: RunRooms, run: Run, onOver: () => void) {
    this.#rooms = rooms;
    this.#run = run;
    this.#onOver = onOver;
    this.#provider = rooms.dispatcher.targets.providerOf(run.decision.target);
    const { call, decision } = run;
    this.#modelCall = {
      endpoint: call.endpoint,
      upstreamModel: decision.target.upstreamModel,
      body: call.body,
      scan: call.scan,
      streamed: call.streamed,
      wantsUsageChunk: call.wantsUsageChunk,
      outputTokensMax: call.outputTokensMax,
      outputTokensCap: decision.estimate.outputTokensCap,
    };
  }

  start(): void {
    this.#run.exchange.onGone(() => this.#leave());
    if (this.#isResolved) return;
    const { credential } = this.#run.decision.target;
    try {
      if (credential === undefined) {
        this.#answerLocally();
        return;
      }
      const pool = this.#rooms.dispatcher.targets.poolOf(credential);
      const secret = this.#rooms.dispatcher.credentials.open(credential);
      this.#upstream = send(pool, this.#provider.buildRequest(this.#modelCall, secret), this);
    } catch (error) {
      // Nothing was sent: the credential did not open, or its request could not be built.
      const fault =
        error instanceof Fault ? error : new Fault('internal', { internal: 'dispatch failed', cause: error });
      this.#failBeforeAnswer(fault, { sent: false });
    }
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    const isEventStream = headers['content-type']?.startsWith('text/event-stream') === true;
    if (this.#run.call.streamed && status === 200 && isEventStream) {
      this.#stream = new StreamRelay({
        client: this.#run.exchange.startStream(200, {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-cache',
          ...callHeaders(this.#run.decision, undefined),
        }),
        tap: this.#provider.createStreamTap(this.#modelCall),
        resume: () => this.#upstream?.resume(),
      });
    }
  }

  onBytes(chunk: Buffer): boolean {
    if (this.#stream !== undefined) return this.#stream.relay(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_BYTES_MAX) {
      this.#failBeforeAnswer(new Fault('provider_error', { internal: 'the answer is too large' }), {
        sent: true,
      });
      this.#upstream?.abort();
      return false;
    }
    this.#chunks.push(chunk);
    return true;
  }

  onEnd(): void {
    if (this.#isResolved) return;
    try {
      if (this.#stream !== undefined) this.#endStream(this.#stream);
      else if (this.#status >= 200 && this.#status < 300) this.#endAnswer();
      else this.#endFailure();
    } catch (error) {
      // Thrown into the HTTP client it would leave the hold standing and the client waiting.
      this.#breakDown(new Fault('internal', { internal: 'the answer could not be settled', cause: error }));
    }
  }

  onFault(fault: UpstreamFault): void {
    if (this.#isResolved) return;
    if (this.#stream !== undefined) this.#breakStream(this.#stream, explainFault(fault));
    else if (this.#isClientGone) this.#resolveGone({ sent: fault.sent });
    else {
      const flag = fault.kind === 'redirected' ? { flag: 'usage_missing' } : {};
      this.#failBeforeAnswer(explainFault(fault), { sent: fault.sent, ...flag });
    }
  }

  /** The client has left: the provider is told to stop, and what it may have done is paid for. */
  #leave(): void {
    if (this.#isResolved) return;
    this.#isClientGone = true;
    if (this.#upstream === undefined) this.#resolveGone({ sent: false });
    else this.#upstream.abort();
  }

  #answerLocally(): void {
    const answer = this.#provider.answer?.(this.#modelCall);
    if (answer === undefined)
      throw new Fault('internal', { internal: `${this.#provider.id} has no upstream and no answer` });
    this.onHead(answer.status, answer.headers);
    for (const chunk of answer.chunks) this.onBytes(chunk);
    this.onEnd();
  }

  #endAnswer(): void {
    const { call, decision, exchange } = this.#run;
    const body =
      this.#chunks.length === 1 && this.#chunks[0] !== undefined
        ? this.#chunks[0]
        : Buffer.concat(this.#chunks);
    const reading = this.#provider.readUsage(call.endpoint, body);
    if ('problem' in reading && reading.problem === 'unreadable') {
      const fault = new Fault('provider_error', {
        internal: 'the provider answered 200 with no JSON object',
        public: 'The provider answered with something that is not JSON.',
      });
      this.#failBeforeAnswer(fault, { sent: true, flag: 'usage_unreadable' });
      return;
    }
    const resolution = settleReported(decision, reading, { status: this.#status, error: undefined });
    this.#resolve(resolution);
    exchange.respond(
      this.#status,
      { 'content-type': 'application/json', ...callHeaders(decision, resolution.cost) },
      body,
    );
    this.#onOver();
  }

  /** A whole answer that says that the call failed. */
  #endFailure(): void {
    const body = Buffer.concat(this.#chunks);
    const failure = this.#provider.classifyFailure(this.#status, body);
    const retryAfter = this.#headers['retry-after'];
    const refusal = explainFailure(failure, { status: this.#status, body, retryAfter });
    if (refusal instanceof Fault) this.#rooms.telemetry.fault(refusal, this.#run.exchange.requestId);
    const ending = { status: ERRORS[refusal.code].status, error: `provider_${failure.kind}` };
    this.#resolve(settleFailed(this.#run.decision, this.#status, ending));
    this.#run.exchange.refuse(refusal, callHeaders(this.#run.decision, undefined));
    this.#onOver();
  }

  #failBeforeAnswer(fault: Fault, how: { readonly sent: boolean; readonly flag?: string }): void {
    if (this.#isResolved) return;
    this.#rooms.telemetry.fault(fault, this.#run.exchange.requestId);
    const ending = { status: ERRORS[fault.code].status, error: fault.code };
    const flags = how.flag === undefined ? [] : [how.flag];
    this.#resolve(how.sent ? settleAtHold(this.#run.decision, ending, flags) : release(ending));
    this.#run.exchange.refuse(fault, callHeaders(this.#run.decision, undefined));
    this.#onOver();
  }

  #endStream(stream: StreamRelay): void {
    const { decision } = this.#run;
    const { reading, completed } = stream.finish();
    if (!completed && 'problem' in reading) {
      this.#resolve(settleAtHold(decision, { status: this.#status, error: 'stream_cut' }, ['usage_missing']));
      stream.fail(
        new Fault('provider_error', {
          internal: 'the stream ended early',
          public: 'The provider ended the stream early.',
        }),
      );
    } else {
      const ending = { status: this.#status, error: undefined };
      // Usage is final only in a stream that was complete; some servers report running totals.
      this.#resolve(
        completed
          ? settleReported(decision, reading, ending)
          : settleAtHold(decision, ending, ['stream_incomplete']),
      );
      stream.end();
    }
    this.#onOver();
  }

  #breakStream(stream: StreamRelay, fault: Fault): void {
    const { reading, completed } = stream.finish();
    const error = this.#isClientGone ? 'client_gone' : fault.code;
    const ending = { status: this.#isClientGone ? CLIENT_GONE : this.#status, error };
    const { decision } = this.#run;
    this.#resolve(
      completed && 'usage' in reading
        ? settleReported(decision, reading, ending)
        : settleAtHold(decision, ending, ['usage_missing']),
    );
    stream.fail(fault);
    this.#onOver();
  }

  #breakDown(fault: Fault): void {
    if (this.#isResolved) {
      this.#rooms.telemetry.fault(fault, this.#run.exchange.requestId);
      this.#run.exchange.refuse(fault, {});
      this.#onOver();
    } else if (this.#stream !== undefined) this.#breakStream(this.#stream, fault);
    else this.#failBeforeAnswer(fault, { sent: true });
  }

  #resolveGone(how: { readonly sent: boolean }): void {
    const ending = { status: CLIENT_GONE, error: 'client_gone' };
    this.#resolve(how.sent ? settleAtHold(this.#run.decision, ending, []) : release(ending));
    this.#onOver();
  }

  /** Hands the resolution to the ledger before the client has its last byte; the ledger makes sure that it is the only one. */
  #resolve(resolution: Resolution): void {
    this.#isResolved = true;
    const { admission, reservation } = this.#run.decision;
    admission.finish(tokensOf(resolution));
    this.#rooms.telemetry.resolved(countCall(reservation, resolution, this.#rooms.clock.nowMs()));
    this.#rooms.ledger.resolve(reservation, resolution).then(
      (isFirst) => {
        if (!isFirst) this.#rooms.telemetry.resolvedTwice(reservation.id);
      },
      // The hold stands until a later try writes the resolution, or recovery charges it at the estimate.
      (error: unknown) => this.#rooms.telemetry.settlementFailed(reservation.id, error),
    );
  }
}
