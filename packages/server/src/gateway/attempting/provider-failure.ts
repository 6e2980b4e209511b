/** What a client is told when a provider fails: in Keyfold's words, without the provider's credential or internals. */
import type { ErrorCode } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import { Fault } from '../../kernel/fault.ts';
import { JsonRefusal, parseJsonObject } from '../../kernel/json-scan.ts';
import { redact } from '../../kernel/redact.ts';
import type { FailureClass, FailureKind, Provider } from '../../providers/provider.ts';
import type { UpstreamFault } from '../../upstream/upstream-fault.ts';

export const STREAM_CUT = new Fault('provider_error', {
  internal: 'the stream ended early',
  public: 'The provider ended the stream early.',
});

const MESSAGE_CHARACTERS_MAX = 1_000;
const RETRY_AFTER_MS_MAX = 3_600_000;
const RETRY_AFTER_MS_DEFAULT = 1_000;
/** A shorter secret, such as the `none` of a server that wants none, is a word like any other. */
const SECRET_CHARACTERS_MIN = 5;
const PRIVATE_ADDRESS =
  /\b(?:10\.\d{1,3}|127\.\d{1,3}|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168)\.\d{1,3}\.\d{1,3}(?::\d{1,5})?\b/g;

export interface ProviderAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** As it came. */
  readonly retryAfter: string | undefined;
  /** Takes out of the provider's words what is not for clients. */
  readonly hide: (text: string) => string;
}

export interface JudgedFailure {
  /** For the client. */
  readonly refusal: Denial | Fault;
  readonly reason: FailureKind;
  readonly retry: FailureClass['retry'];
  /** When the provider says that the same may succeed; always there for a rate limit. */
  readonly retryAfterMs: number | undefined;
}

/** What it means that the provider answered with an error. */
export function judgeFailure(provider: Provider, answer: ProviderAnswer): JudgedFailure {
  const { kind, retry, retryAfterMs } = provider.classifyFailure(answer.status, answer.body);
  const told = retryAfterMs ?? readRetryAfter(answer.retryAfter);
  const bounded = told === undefined ? undefined : Math.min(told, RETRY_AFTER_MS_MAX);
  const waitMs = bounded ?? (kind === 'rate_limit' ? RETRY_AFTER_MS_DEFAULT : undefined);
  return { refusal: explainFailure(kind, answer, waitMs), reason: kind, retry, retryAfterMs: waitMs };
}

/** Only what is wrong with the request itself is passed on in the provider's own words. */
function explainFailure(
  kind: FailureKind,
  answer: ProviderAnswer,
  retryAfterMs: number | undefined,
): Denial | Fault {
  switch (kind) {
    case 'request': {
      const { message, param } = readError(answer);
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
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        facts: { limit: 'provider' },
      });
    case 'credential':
    case 'quota':
    case 'permission':
      return providerFault(`it refuses Keyfold's credential (${kind})`, answer.status);
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

function readError({ body, hide }: ProviderAnswer): {
  message: string | undefined;
  param: string | undefined;
} {
  const parsed = parseJsonObject(body);
  const error =
    parsed instanceof JsonRefusal ? undefined : (parsed['error'] as Record<string, unknown> | undefined);
  const text = (value: unknown) =>
    typeof value === 'string' ? redact(hide(value)).slice(0, MESSAGE_CHARACTERS_MAX) : undefined;
  return { message: text(error?.['message']), param: text(error?.['param']) };
}

/** Where a provider is asked, and with what: servers of one's own repeat it in their errors. */
export function hideInternals(
  text: string,
  of: { readonly secret: string; readonly baseUrl: string },
): string {
  const hidden = of.secret.length < SECRET_CHARACTERS_MIN ? text : text.replaceAll(of.secret, '[redacted]');
  return hidden.replaceAll(new URL(of.baseUrl).host, '[provider]').replaceAll(PRIVATE_ADDRESS, '[address]');
}

/** A date instead of seconds is not read. */
function readRetryAfter(header: string | undefined): number | undefined {
  const seconds = header === undefined ? NaN : Number(header);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined;
}
