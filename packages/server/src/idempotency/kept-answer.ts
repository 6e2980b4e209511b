/** An answer that is kept to be given again, and the bytes in which it is sealed: what is about it, then the answer itself. */

/** A longer answer is not kept. */
export const KEPT_ANSWER_BYTES_MAX = 1_048_576;

export interface AnswerFacts {
  readonly status: number;
  readonly contentType: string;
  readonly streamed: boolean;
  /** The request that was answered so. */
  readonly requestId: string;
  readonly provider: string;
  readonly model: string;
  /** Where a policy had clamped its output to so many tokens. */
  readonly clampedTo?: number | undefined;
}

export interface KeptAnswer extends AnswerFacts {
  /** As the client got it. */
  readonly body: Buffer;
}

const LENGTH_BYTES = 4;

export function encodeAnswer({ body, ...facts }: KeptAnswer): Buffer {
  const head = Buffer.from(JSON.stringify(facts), 'utf8');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, body]);
}

/** Reads what `encodeAnswer` wrote. */
export function decodeAnswer(bytes: Buffer): KeptAnswer {
  const bodyStart = LENGTH_BYTES + bytes.readUInt32BE(0);
  const facts = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, bodyStart)) as AnswerFacts;
  return { ...facts, body: bytes.subarray(bodyStart) };
}
