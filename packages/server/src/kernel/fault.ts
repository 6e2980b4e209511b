/** Something broke. Thrown, never returned; what a client may read of it is kept apart from what an operator may. */
import type { ErrorCode } from '@keyfold/protocol';

export class Fault extends Error {
  readonly code: ErrorCode;
  /** Safe to show to any client. */
  readonly publicDetail: string | undefined;

  constructor(code: ErrorCode, text: { internal: string; public?: string; cause?: unknown }) {
    super(text.internal, text.cause === undefined ? undefined : { cause: text.cause });
    this.name = 'Fault';
    this.code = code;
    this.publicDetail = text.public;
  }
}

/** The text of anything that was thrown, for logs. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
