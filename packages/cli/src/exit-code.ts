/** The exit codes of `keyfold`, documented in docs/cli.md, and the failure that carries one. */

export const EXIT = {
  ok: 0,
  /** It was tried and failed, or a check did not hold. */
  failure: 1,
  /** The command line or the environment is wrong; nothing was tried. */
  usage: 2,
  /** Of `audit verify` alone, beside `usage`: nothing is wrong, and not everything is proven. */
  incomplete: 2,
  /** The server knows who asks and refuses, or does not accept the key: 401, 403. */
  refused: 3,
  notFound: 4,
  /** No answer: nothing listens, the name or the certificate is wrong, or it took too long. */
  unreachable: 5,
  /** It was done, and secrets were found. */
  found: 10,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface FailureDetail {
  /** A sentence on what to do next. */
  readonly advice?: string | undefined;
  /** A stable word for programs. */
  readonly code?: string | undefined;
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** Ends a command. The message says what happened, `advice` what to do. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode;
  readonly detail: FailureDetail;

  constructor(exitCode: ExitCode, message: string, detail: FailureDetail = {}) {
    super(message, { cause: detail.cause });
    this.name = 'CommandFailure';
    this.exitCode = exitCode;
    this.detail = detail;
  }
}
