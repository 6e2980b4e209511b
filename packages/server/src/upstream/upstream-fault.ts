/** Responsible for what can go wrong between Keyfold and a provider, and whether the provider may have seen the call. */

/**
 * `refused`: no connection, no address, or no trust in the certificate. `reset`: the connection broke. `timeout`: no
 * connection, no headers or no next byte in time. `denied_address`: egress policy forbids the address. `redirected`: the
 * answer was a 3xx, which is never followed. `protocol`: the answer is no HTTP/1.1. `overloaded`: too many calls wait for
 * this origin already. `aborted`: our side gave up.
 */
export type UpstreamFaultKind =
  | 'refused'
  | 'reset'
  | 'timeout'
  | 'denied_address'
  | 'redirected'
  | 'protocol'
  | 'overloaded'
  | 'aborted';

export interface UpstreamFault {
  readonly kind: UpstreamFaultKind;
  /** A byte of the request may have left. False only where that is impossible. */
  readonly sent: boolean;
  /** For logs alone, never for a client: the error's code and text. */
  readonly detail: string;
}

/** Raised by the dialer for an address that egress policy forbids. */
export class DeniedAddressError extends Error {
  readonly code = 'KEYFOLD_DENIED_ADDRESS';

  constructor(host: string, address: string) {
    super(`${host} is at ${address}, which egress policy denies`);
    this.name = 'DeniedAddressError';
  }
}

/** Classifies what the HTTP client reported. `sent` is true once the request was handed to a connection. */
export function classifyFault(error: Error, sent: boolean): UpstreamFault {
  const code = codeOf(error);
  const kind =
    KIND_BY_CODE.get(code) ?? (error.name === 'HTTPParserError' ? 'protocol' : sent ? 'reset' : 'refused');
  return { kind, sent, detail: `${code === '' ? error.name : code}: ${error.message}` };
}

const KIND_BY_CODE: ReadonlyMap<string, UpstreamFaultKind> = new Map([
  ['KEYFOLD_DENIED_ADDRESS', 'denied_address'],
  ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
  ['UND_ERR_HEADERS_TIMEOUT', 'timeout'],
  ['UND_ERR_BODY_TIMEOUT', 'timeout'],
  ['ETIMEDOUT', 'timeout'],
  ['UND_ERR_HEADERS_OVERFLOW', 'protocol'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'protocol'],
  ['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'protocol'],
  ['UND_ERR_RES_EXCEEDED_MAX_SIZE', 'protocol'],
  ['UND_ERR_INVALID_ARG', 'protocol'],
  ['UND_ERR_ABORTED', 'aborted'],
  ['UND_ERR_CLOSED', 'aborted'],
  ['UND_ERR_DESTROYED', 'aborted'],
] as const);

function codeOf(error: Error): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
}
