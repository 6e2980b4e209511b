/** One attempt of a call: sends it, relays its answer, and resolves its reservation exactly once, however it ends. */
import type { IncomingHttpHeaders } from 'node:http';
import { ERRORS } from '@keyfold/protocol';
import type { Denial } from '../../kernel/denial.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Resolution } from '../../ledger/reservation.ts';
import type { ModelCall, Provider, StreamSummary } from '../../providers/provider.ts';
import type { Exchange, UpstreamReceiver } from '../../upstream/send.ts';
import type { UpstreamFault } from '../../upstream/upstream-fault.ts';
import { type AttemptRooms, type Attempted, modelCallOf } from './attempted.ts';
import { ClientAnswer } from '../answering/client-answer.ts';
import { Deadline } from './deadline.ts';
import { answerLocally, dispatch, hideFrom } from './dispatch.ts';
import { GatheredBody } from '../answering/gathered-body.ts';
import { GuardedReceiver } from './guarded-receiver.ts';
import { type AttemptFailure, type FailureReason, type Outcome, retryAfterFault } from './outcome.ts';
import { STREAM_CUT, explainFault, judgeFailure } from './provider-failure.ts';
import { resolveAttempt } from '../settling/resolve.ts';
import {
  CLIENT_GONE,
  type Ending,
  endingOf,
  release,
  settleAtHold,
  settleFailed,
  settleReported,
} from '../settling/settle.ts';
import type { StreamRelay } from '../answering/stream-relay.ts';
import { CutStream } from '../settling/cut-stream.ts';

export class Attempt implements UpstreamReceiver {
  readonly #rooms: AttemptRooms;
  readonly #of: Attempted;
  readonly #provider: Provider;
  readonly #modelCall: ModelCall;
  readonly #answer: ClientAnswer;
  readonly #onOver: (outcome: Outcome) => void;
  #upstream: Exchange | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #stream: StreamRelay | undefined;
  readonly #cut: CutStream;
  readonly #body = new GatheredBody();
  readonly #deadline: Deadline;
  #isResolved = false;
  /** What came of a stream is counted: nothing that still comes may resolve it meanwhile. */
  #isCounting = false;
  #tokens: number | undefined;
  #isClientGone = false;

  /** `onOver` is called once, when this side and the client's have ended and the resolution is with the ledger. */
  constructor(rooms: AttemptRooms, of: Attempted, onOver: (outcome: Outcome) => void) {
    this.#rooms = rooms;
    this.#of = of;
    this.#onOver = onOver;
    this.#answer = new ClientAnswer({ ...of, nowMs: rooms.clock.nowMs() });
    this.#provider = rooms.targets.providerOf(of.decision.target);
    this.#modelCall = modelCallOf(of.decision);
    this.#cut = new CutStream(of.decision);
    // Giving up says whether anything had been sent, and so what it costs.
    this.#deadline = new Deadline(of, () => this.#upstream?.abort());
  }

  get #isOver(): boolean {
    return this.#isResolved || this.#isCounting;
  }

  start(): void {
    const { credential } = this.#of.decision.target;
    try {
      if (credential === undefined) {
        answerLocally(this.#provider, this.#modelCall, this);
        return;
      }
      this.#deadline.start();
      this.#upstream = dispatch(
        this.#rooms,
        { ...this.#of, credential, provider: this.#provider },
        { modelCall: this.#modelCall, receiver: this.#guarded() },
      );
    } catch (error) {
      // Nothing was sent: the credential did not open, or its request could not be built.
      const fault =
        error instanceof Fault ? error : new Fault('internal', { internal: 'dispatch failed', cause: error });
      this.#failFirst(fault, {
        resolution: release(endingOf(fault)),
        reason: 'internal',
        retry: 'elsewhere',
      });
    }
  }

  #guarded(): UpstreamReceiver {
    return new GuardedReceiver(this, (cause) => this.#breakDown(cause));
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    if (!this.#modelCall.streamed || status !== 200 || !isEventStream(headers['content-type'])) return;
    this.#stream = this.#answer.createRelay({
      provider: this.#provider,
      modelCall: this.#modelCall,
      keepsBack: this.#of.mayFallBack,
      onBegun: () => this.#deadline.clear(),
      resume: () => this.#upstream?.resume(),
    });
  }

  onBytes(chunk: Buffer): boolean {
    if (this.#isOver) return false;
    if (this.#stream !== undefined) return this.#relay(this.#stream, chunk);
    if (this.#body.add(chunk, this.#status)) return true;
    this.#failBroken(new Fault('provider_error', { internal: 'the answer is too large' }), 'protocol', []);
    this.#upstream?.abort();
    return false;
  }

  onEnd(): void {
    if (this.#isOver) return;
    if (this.#stream !== undefined) this.#endStream(this.#stream);
    else if (this.#status >= 200 && this.#status < 300) this.#endAnswer();
    else this.#endFailure();
  }

  onFault(given: UpstreamFault): void {
    if (this.#isOver) return;
    const fault = this.#deadline.explain(given);
    if (this.#stream !== undefined) this.#breakStream(this.#stream, explainFault(fault), fault.kind);
    else if (this.#isClientGone) this.#resolveGone({ sent: fault.sent });
    else {
      const explained = explainFault(fault);
      const ending = endingOf(explained);
      const flags = fault.kind === 'redirected' ? ['usage_missing'] : [];
      const resolution = fault.sent ? settleAtHold(this.#of.decision, ending, flags) : release(ending);
      this.#failFirst(explained, { resolution, reason: fault.kind, retry: retryAfterFault(fault.kind) });
    }
  }

  /** The client has left: the provider is told to stop, and what it may have done is paid for. */
  leave(): void {
    if (this.#isOver) return;
    this.#isClientGone = true;
    if (this.#upstream === undefined) this.#resolveGone({ sent: false });
    else this.#upstream.abort();
  }

  #relay(stream: StreamRelay, chunk: Buffer): boolean {
    this.#cut.keep(chunk);
    const isTaken = stream.relay(chunk);
    if (!stream.hasFailedFirst) return isTaken;
    const fault = explainFault({ kind: 'reset', sent: true, detail: 'the stream began with an error' });
    this.#failBroken(fault, 'server', ['usage_missing']);
    this.#upstream?.abort();
    return false;
  }

  #endAnswer(): void {
    const { decision } = this.#of;
    const body = this.#body.whole();
    const reading = this.#provider.readUsage(this.#modelCall.endpoint, body);
    const contentType = this.#answer.contentType(this.#headers['content-type']);
    const answer =
      'problem' in reading && reading.problem === 'unreadable' ? undefined : this.#answer.write(body);
    if (answer === undefined || contentType === undefined) {
      const fault = new Fault('provider_error', {
        internal: 'the provider answered 200 with what is no answer',
        public: `The provider answered with something that is ${contentType === undefined ? 'no answer to this call' : 'not JSON'}.`,
      });
      this.#failBroken(fault, 'unreadable', ['usage_unreadable']);
      return;
    }
    const kept = this.#answer.keep(this.#status, { body: answer, contentType });
    const resolution = settleReported(decision, reading, { status: this.#status, error: undefined, kept });
    this.#resolve(resolution, () => {
      this.#answer.respond(this.#status, answer, { contentType, cost: resolution.cost });
      this.#onOver({ kind: 'over', tokens: this.#tokens });
    });
  }

  /** A whole answer that says that the call failed. */
  #endFailure(): void {
    const body = this.#body.whole();
    const { refusal, ...failed } = judgeFailure(this.#provider, {
      status: this.#status,
      body,
      retryAfter: this.#headers['retry-after'],
      hide: (text) => hideFrom(this.#rooms, this.#of, text),
    });
    const ending = { status: ERRORS[refusal.code].status, error: `provider_${failed.reason}` };
    const resolution = settleFailed(this.#of.decision, this.#status, ending);
    this.#failFirst(refusal, { resolution, ...failed });
  }

  #endStream(stream: StreamRelay): void {
    const summary = stream.finish();
    if (!summary.completed && !stream.hasBegun) {
      const cut = explainFault({ kind: 'reset', sent: true, detail: 'the stream ended early' });
      this.#failBroken(cut, 'stream_cut', ['usage_missing']);
      return;
    }
    const isCut = !summary.completed && 'problem' in summary.reading;
    const error = isCut ? 'stream_cut' : undefined;
    const failed = isCut || stream.isBroken ? ({ failure: 'stream_cut' } as const) : {};
    const isKept = this.#of.served !== undefined && summary.completed && !('failure' in failed);
    if (isKept) stream.complete();
    const kept = isKept && !stream.isBroken ? this.#answer.keepStream() : undefined;
    this.#settleStream(summary, { status: this.#status, error, kept }, () => {
      if ('failure' in failed) stream.fail(STREAM_CUT);
      else stream.end();
      this.#onOver({ kind: 'over', tokens: this.#tokens, ...failed });
    });
  }

  #breakStream(stream: StreamRelay, fault: Fault, reason: FailureReason): void {
    const summary = stream.finish();
    const isGone = this.#isClientGone;
    if (!stream.hasBegun && !isGone) {
      this.#failBroken(fault, reason, ['usage_missing']);
      return;
    }
    const ending = isGone ? CLIENT_GONE : { status: this.#status, error: fault.code };
    this.#settleStream(summary, ending, () => {
      stream.fail(fault);
      const tokens = this.#tokens;
      this.#onOver(isGone ? { kind: 'left', tokens } : { kind: 'over', tokens, failure: reason });
    });
  }

  /** `then` runs when the resolution is with the ledger: at once, unless what was streamed must be counted first. */
  #settleStream(summary: StreamSummary, ending: Ending, then: () => void): void {
    const settled = this.#cut.settle(this.#rooms.counter, summary, {
      ending,
      wasPaused: this.#stream?.isPaused === true,
    });
    const finish = (resolution: Resolution) => this.#resolve(resolution, then);
    if (!(settled instanceof Promise)) return finish(settled);
    this.#isCounting = true;
    settled.then(finish).catch((cause: unknown) => this.#breakDown(cause));
  }

  /** What broke may break again: no more is made of the answer, and the hold is what it costs. */
  #breakDown(cause: unknown): void {
    const fault = new Fault('internal', { internal: 'the answer could not be handled', cause });
    const isUntold = !this.#isResolved && this.#stream === undefined;
    if (isUntold) this.#failBroken(fault, 'internal', []);
    else if (!this.#isResolved) this.#resolve(settleAtHold(this.#of.decision, endingOf(fault), []));
    this.#upstream?.abort();
    if (isUntold) return;
    this.#rooms.telemetry.fault(fault, this.#of.exchange.requestId);
    this.#of.exchange.refuse(fault, {});
    this.#onOver({ kind: 'over', tokens: this.#tokens, failure: 'internal' });
  }

  #resolveGone(how: { readonly sent: boolean }): void {
    this.#resolve(how.sent ? settleAtHold(this.#of.decision, CLIENT_GONE, []) : release(CLIENT_GONE));
    this.#onOver({ kind: 'left', tokens: this.#tokens });
  }

  /** Sent, and without a whole answer: what it cost is not known. */
  #failBroken(fault: Fault, reason: FailureReason, flags: readonly string[]): void {
    if (this.#isResolved) return;
    const resolution = settleAtHold(this.#of.decision, endingOf(fault), flags);
    const retry = reason === 'internal' ? 'never' : 'elsewhere';
    this.#failFirst(fault, { resolution, reason, retry });
  }

  /** The client has had nothing yet: what becomes of the call is not decided here. */
  #failFirst(
    refusal: Denial | Fault,
    of: Omit<AttemptFailure, 'isCharged'> & { readonly resolution: Resolution },
  ): void {
    if (this.#isResolved) return;
    if (refusal instanceof Fault) this.#rooms.telemetry.fault(refusal, this.#of.exchange.requestId);
    this.#resolve(of.resolution);
    const { resolution, ...failed } = of;
    // Where nobody knows what was used it is charged, also where the charge is nothing for want of a price.
    const failure = { ...failed, isCharged: resolution.usage.provenance !== 'provider' };
    this.#onOver({ kind: 'failed', tokens: this.#tokens, refusal, failure });
  }

  /** `then` runs at once; where something is kept for a repeat of the call, when that is on disk. */
  #resolve(resolution: Resolution, then = () => {}): void {
    this.#isResolved = true;
    this.#deadline.clear();
    const { tokens, written } = resolveAttempt(this.#rooms, this.#of.decision, resolution);
    this.#tokens = tokens;
    const finish = () => {
      this.#body.free();
      then();
    };
    if (resolution.kept === undefined) finish();
    else written.then(finish).catch((cause: unknown) => this.#breakDown(cause));
  }
}

function isEventStream(contentType: string | undefined): boolean {
  return contentType?.toLowerCase().startsWith('text/event-stream') === true;
}
