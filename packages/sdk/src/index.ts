/** What the SDK offers: keys that renew themselves, signed requests, limits on spend, and the management API. */
export {
  ATTEMPT_TIMEOUT_MS_DEFAULT,
  KeyfoldClient,
  type KeyfoldClientOptions,
  newIdempotencyKey,
} from './control-client.ts';
export {
  type AnyErrorCode,
  AuthenticationError,
  BudgetExhaustedError,
  ConflictError,
  ConnectionError,
  type ErrorFacts,
  InvalidRequestError,
  KeyfoldError,
  type KeyfoldErrorDetail,
  NotFoundError,
  PermissionError,
  RateLimitError,
  UnavailableError,
  toKeyfoldError,
} from './errors.ts';
export type { RenewalFailure, RenewedKey } from './key-handover.ts';
export type { KeysApi } from './keys-api.ts';
export { KeyManager, type RotateOptions } from './keys.ts';
export type { LeaksApi } from './leaks-api.ts';
export type { Amount, Price } from './limiter/amount.ts';
export type { Lease } from './limiter/lease.ts';
export type { LimitName, Limits } from './limiter/limits.ts';
export {
  type AcquireOptions,
  LimitReachedError,
  RateLimiter,
  type RateLimiterOptions,
  type Refusal,
} from './limiter/rate-limiter.ts';
export type { LimiterSnapshot } from './limiter/snapshot.ts';
export type { CostReport, RateReport, UsageReport } from './limiter/usage-report.ts';
export type { CallOptions, Method, RequestOptions, Requester } from './requester.ts';
export { RenewingKey, type RenewingKeyOptions } from './renewing-key.ts';
export { type RetryOptions, retryingFetch } from './retry.ts';
export * from './signing/index.ts';
export { type Timing, systemTiming } from './timing.ts';
export type * from './wire.ts';
