/** A provider's secret that Keyfold holds, without the secret. */
import type { Id } from '@keyfold/protocol';
import type { LimitRules } from '../limits/limiter.ts';

/**
 * How a stream that was cut off is charged. `full`: its hold, since the vendor may have gone on, or does not say. `usage`:
 * what the stream itself had reported until then, else the hold. `streamed`: the same, but what was not reported is counted.
 */
export type StreamPolicy = (typeof STREAM_POLICIES)[number];
export const STREAM_POLICIES = ['full', 'usage', 'streamed'] as const;

export interface Credential {
  readonly id: Id<'credential'>;
  readonly organizationId: Id<'organization'>;
  /** Whose wire format and prices apply: `openai`, `openai-compatible`, … */
  readonly provider: string;
  readonly name: string;
  readonly baseUrl: string;
  /** CIDRs that may be dialled although they are private. */
  readonly allowNetworks: readonly string[];
  /** Its share of the calls, beside other credentials that offer the same model. */
  readonly weight: number;
  /** What may be sent with it, whoever asks: the vendor's own limits of this account. */
  readonly limits: LimitRules;
  readonly streamPolicy: StreamPolicy;
  /** Models that it offers; absent: any that its provider has. */
  readonly models: readonly string[] | undefined;
  /** Grows with each new secret. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}
