/** What is known of a call from its path and body alone. */
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import type { Form } from '../../kernel/multipart.ts';
import type { Medium } from '../../pricing/cost.ts';
import type { Endpoint } from '../../providers/provider.ts';
import type { MediaParts } from './count-inputs.ts';

export interface ParsedCall extends MediaParts {
  readonly endpoint: Endpoint;
  readonly body: Buffer;
  readonly scan: JsonObjectScan;
  readonly form?: Form;
  readonly model: string;
  readonly streamed: boolean;
  /** The client asked for the usage chunk of its stream. */
  readonly wantsUsageChunk: boolean;
  /** The most output tokens a choice may have, where the client says. */
  readonly outputTokensMax: number | undefined;
  /** How many answers are generated, for all prompts together. */
  readonly choices: number;
  /** Output tokens that come beside the answers: images as they take shape. */
  readonly tokensBeside: number;
  /** Tools whose prompts are the vendor's own, and not in the body. */
  readonly promptedTools: number;
  /** Of a form: the recording in it. */
  readonly recording?: {
    readonly bytes: number;
    /** The most that it is held at. */
    readonly tokensMax: number;
    /** It goes through the model's context as a whole. */
    readonly isWhole: boolean;
  };
  /** What else than text is to be generated. */
  readonly mediaOutput: readonly Medium[];
}
