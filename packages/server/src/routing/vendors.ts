/** The vendors that a credential may be for, and where their API is unless the credential says otherwise. */

import type { StreamPolicy } from '../credentials/credential.ts';

export const SANDBOX = 'sandbox';

export interface Vendor {
  /** Id of the wire format in the providers' registry. */
  readonly dialect: string;
  /** Absent: every credential must say. */
  readonly baseUrl: string | undefined;
  /** What a credential may choose; the first where it does not. */
  readonly streamPolicies: readonly [StreamPolicy, ...StreamPolicy[]];
}

/** They think out of sight, or bill on (Google says so; the others do not say): only the hold is sure to cover it. */
const HOLD_ONLY: Vendor['streamPolicies'] = ['full'];
/** All that they generate is in the stream, and they stop when nobody listens. */
const ANY: Vendor['streamPolicies'] = ['full', 'usage', 'streamed'];

export const VENDORS: ReadonlyMap<string, Vendor> = new Map<string, Vendor>([
  ['openai', { dialect: 'openai', baseUrl: 'https://api.openai.com/v1', streamPolicies: HOLD_ONLY }],
  ['anthropic', { dialect: 'anthropic', baseUrl: 'https://api.anthropic.com/v1', streamPolicies: HOLD_ONLY }],
  [
    'google',
    {
      dialect: 'gemini',
      baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
      streamPolicies: HOLD_ONLY,
    },
  ],
  ['deepseek', { dialect: 'deepseek', baseUrl: 'https://api.deepseek.com/v1', streamPolicies: ANY }],
  ['openai-compatible', { dialect: 'openai-compatible', baseUrl: undefined, streamPolicies: ANY }],
]);
