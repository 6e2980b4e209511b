/** The vendors that a credential may be for, and where their API is unless the credential says otherwise. */

export const SANDBOX = 'sandbox';

export interface Vendor {
  /** Id of the wire format in the providers' registry. */
  readonly dialect: string;
  /** Absent: every credential must say. */
  readonly baseUrl: string | undefined;
}

export const VENDORS: ReadonlyMap<string, Vendor> = new Map([
  ['openai', { dialect: 'openai', baseUrl: 'https://api.openai.com/v1' }],
  ['anthropic', { dialect: 'anthropic', baseUrl: 'https://api.anthropic.com/v1' }],
  ['google', { dialect: 'gemini', baseUrl: 'https://generativelanguage.googleapis.com/v1beta' }],
  ['deepseek', { dialect: 'deepseek', baseUrl: 'https://api.deepseek.com/v1' }],
  ['openai-compatible', { dialect: 'openai-compatible', baseUrl: undefined }],
]);
