/** What a client is told when a provider fails: in Keyfold's words, without the provider's credential or internals. */
import type { ErrorCode } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import { JsonRefusal, parseJsonObject } from '../kernel/json-scan.ts';
import { redact } from '../kernel/redact.ts';
import type { FailureClass } from '../providers/provider.ts';
import type { UpstreamFault } from '../upstream/upstream-fault.ts';

export const STREAM_CUT = new Fault('provider_error', {
  internal: 'the stream ended early',
  public: 'The provider ended the stream early.',
});

const MESSAGE_CHARACTERS_MAX = 1_000;
const RETRY_AFTER_S_MAX = 3_600;
const RETRY_AFTER_S_DEFAULT = 1;

export interface ProviderAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly retryAfter: string | undefined;
}

/** The provider answered with an error. Only what is wrong with the request itself is passed on in its own words. */
export function explainFailure(failure: FailureClass, answer: ProviderAnswer): Denial | Fault {
  switch (failure.kind) {
    case 'request': {
      const { message, param } = readError(answer.body);
      return new Denial('invalid_request', {
        message: message ?? `The provider refused the request with status ${answer.status}.`,
        ...(param === undefined ? {} : { param }),
      });
    }
    case 'model':
      return new Denial('model_not_found', {
        message: 'The provider does not have this model.',
        param: 'model',
      });
    case 'rate_limit':
      return new Denial('rate_limit_exceeded', {
        message: "The provider's own rate limit is reached.",
        retryAfterMs: boundRetry(failure.retryAfterMs ?? readRetryAfter(answer.retryAfter)),
        facts: { limit: 'provider' },
      });
    case 'credential':
    case 'quota':
      return providerFault(`it refuses Keyfold's credential (${failure.kind})`, answer.status);
    case 'overload':
    case 'server':
      return providerFault(`it failed with status ${answer.status}`, answer.status);
  }
}

/** There was no whole answer. */
export function explainFault(fault: UpstreamFault): Fault {
  if (fault.kind === 'timeout') {
    return new Fault('provider_timeout', {
      internal: fault.detail,
      public: 'The provider did not answer in time.',
    });
  }
  const code: ErrorCode = fault.kind === 'overloaded' ? 'unavailable' : 'provider_error';
  return new Fault(code, { internal: `${fault.kind}: ${fault.detail}`, public: PUBLIC_TEXT[fault.kind] });
}

const PUBLIC_TEXT: Readonly<Record<Exclude<UpstreamFault['kind'], 'timeout'>, string>> = {
  refused: 'The provider cannot be reached.',
  reset: 'The connection to the provider broke.',
  denied_address: 'The provider cannot be reached.',
  redirected: 'The provider answered with a redirect, which Keyfold does not follow.',
  protocol: 'The provider did not answer in HTTP.',
  overloaded: 'Too many calls wait for this provider.',
  aborted: 'The call was given up.',
};

function providerFault(what: string, status: number): Fault {
  return new Fault('provider_error', {
    internal: `provider: ${what} (status ${status})`,
    public: `The provider could not serve this call: ${what}.`,
  });
}

function readError(body: Buffer): { message: string | undefined; param: string | undefined } {
  const parsed = parseJsonObject(body);
  const error =
    parsed instanceof JsonRefusal ? undefined : (parsed['error'] as Record<string, unknown> | undefined);
  const text = (value: unknown) =>
    typeof value === 'string' ? redact(value).slice(0, MESSAGE_CHARACTERS_MAX) : undefined;
  return { message: text(error?.['message']), param: text(error?.['param']) };
}

/** A date instead of seconds is not read. */
function readRetryAfter(header: string | undefined): number {
  return 1_000 * Number(header ?? RETRY_AFTER_S_DEFAULT);
}

function boundRetry(ms: number): number {
  const isTime = Number.isFinite(ms) && ms > 0;
  return isTime ? Math.min(ms, RETRY_AFTER_S_MAX * 1_000) : RETRY_AFTER_S_DEFAULT * 1_000;
}
