/** Turns what went wrong with a request into an exit code, a sentence, and what to do next. */
import { CommandFailure, EXIT, type ExitCode } from '../exit-code.ts';
import { ProblemError, UnreachableError } from './control-client.ts';

/** Errors of other kinds are returned as they are. */
export function explainFailure(error: unknown): unknown {
  if (error instanceof ProblemError) {
    return new CommandFailure(exitCodeOf(error.status), error.message, {
      advice: adviseOnProblem(error),
      code: error.code,
      status: error.status,
      requestId: error.requestId,
      cause: error,
    });
  }
  if (error instanceof UnreachableError) {
    const { code } = error;
    return new CommandFailure(EXIT.unreachable, error.message, {
      advice: adviseOnSilence(code),
      code,
      cause: error,
    });
  }
  return error;
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.refused;
  return status === 404 ? EXIT.notFound : EXIT.failure;
}

function adviseOnProblem({ status, retryAfterS, requestId, code }: ProblemError): string {
  if (status === 401)
    return 'Check KEYFOLD_ADMIN_KEY: it must be an admin key of this server, neither revoked nor expired.';
  if (status === 403)
    return 'Use an admin key that has the permission, or ask its owner: keyfold keys show KEY-ID.';
  if (status === 404 && code === undefined)
    return 'Check KEYFOLD_URL: what answers there does not know this path.';
  if (status === 404) {
    return 'Check the id: the list command of the same noun shows those that you may see. An older server may not know the command.';
  }
  if (status === 409) return 'Look at its present state with the show or list command, then decide again.';
  if (status === 429) return `Try again ${retryAfterS === undefined ? 'later' : `in ${retryAfterS} s`}.`;
  if (status >= 500) {
    const where = requestId === undefined ? '' : ` for ${requestId}`;
    return `Look into the server's log${where}; keyfold doctor checks what it needs.`;
  }
  return 'Change the request as the message says; --help shows what the command takes.';
}

function adviseOnSilence(code: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Check the name in KEYFOLD_URL.';
  if (code === 'not_keyfold') return 'Check KEYFOLD_URL: it must lead to Keyfold itself.';
  if (code === 'timeout') return 'Try again, with a longer --timeout-s if the question is a large one.';
  if (/CERT|SIGNATURE|TLS|SSL/.test(code)) {
    return 'Check its certificate; for an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate file.';
  }
  return 'Start it with keyfold serve, or set KEYFOLD_URL to where it listens.';
}
