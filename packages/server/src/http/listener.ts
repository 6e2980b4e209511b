/** The listener: judges each request's head, mints its id, and hands it to the one handler of its path. */
import {
  type IncomingMessage,
  type RequestListener,
  STATUS_CODES,
  type ServerResponse,
  createServer,
  type Server,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { ErrorCode } from '@keyfold/protocol';
import type { ClientExchange } from '../gateway/client-exchange.ts';
import type { NewId } from '../kernel/new-id.ts';
import { Denial } from '../kernel/denial.ts';
import { renderOpenAiError } from '../kernel/error-bodies.ts';
import type { CallPath } from '../gateway/reading/parse-call.ts';
import { DIALECTS, type Dialect } from '../providers/provider.ts';
import type { PresentedRequest } from '../signing/presented.ts';
import { findCallPath } from './call-path.ts';
import { checkHead } from './check-head.ts';
import type { ReadAddress } from './client-address.ts';
import { NodeExchange } from './node-exchange.ts';
import { HTTP_LIMITS } from './limits.ts';
import { sendResponse } from './send-response.ts';

export interface ListenerParts {
  readonly newId: NewId;
  readonly readAddress: ReadAddress;
  readonly bodyBytesMax: number;
  /** Absent where only the control plane is served. */
  readonly serveCall: ((path: CallPath, exchange: ClientExchange) => Promise<void>) | undefined;
  /** Serves every other path. */
  readonly serveControl: (request: ControlRequest) => Promise<Response>;
  /** Called for every refusal that no key vouches for. */
  readonly onRefused: (denial: Denial, address: string) => void;
}

export interface ControlRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly bindings: {
    readonly presented: PresentedRequest;
    readonly requestId: string;
    readonly address: string;
    readBody(isProved: boolean): Promise<Buffer | Denial>;
    vouch(): void;
  };
}

export function createListener(
  parts: ListenerParts,
  tls?: { readonly cert: Buffer; readonly key: Buffer },
): Server {
  const listen: RequestListener = (incoming, outgoing) => serve(parts, incoming, outgoing);
  const options = {
    maxHeaderSize: HTTP_LIMITS.headerBytesMax,
    headersTimeout: HTTP_LIMITS.headersTimeoutMs,
    requestTimeout: HTTP_LIMITS.requestTimeoutMs,
    keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
    connectionsCheckingInterval: HTTP_LIMITS.checkIntervalMs,
    noDelay: true,
    joinDuplicateHeaders: false,
  };
  const server =
    tls === undefined
      ? createServer(options, listen)
      : createTlsServer({ ...options, ...tls, minVersion: 'TLSv1.2' }, listen);
  // Node drops what is beyond this without a word; one more than the limit lets the head's check see that there is more.
  server.maxHeadersCount = HTTP_LIMITS.headersMax + 1;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
    refuseUnparsed(error, socket, parts),
  );
  return server;
}

/** What is no HTTP, is too large or comes too slowly never becomes a request: it is answered on the bare socket and cut off. */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Socket, parts: ListenerParts): void {
  // Bytes of an answer that is under way must not be followed by another; who has left hears no answer.
  const { _httpMessage: answering } = socket as { _httpMessage?: ServerResponse | null };
  if (LEFT_CODES.has(error.code ?? '') || answering?.headersSent === true) {
    socket.destroy();
    return;
  }
  const denial = new Denial(UNPARSED_CODES.get(error.code ?? '') ?? 'invalid_request', {
    reason: error.code ?? 'parse error',
  });
  parts.onRefused(denial, socket.remoteAddress ?? '');
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, body } = renderOpenAiError(denial);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** The connection ended or broke: no refusal, and what it had asked ends where it is served. */
const LEFT_CODES: ReadonlySet<string> = new Set(['HPE_INVALID_EOF_STATE', 'ECONNRESET', 'EPIPE']);
const UNPARSED_CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ['HPE_HEADER_OVERFLOW', 'headers_too_large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request_timeout'],
] as const);

const NOTHING_PRESENTED: PresentedRequest = {
  secret: undefined,
  signature: undefined,
  method: '',
  path: '',
  query: '',
  header: () => undefined,
};

function serve(parts: ListenerParts, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const requestId = parts.newId('request');
  const head = checkHead(incoming);
  const address = parts.readAddress(incoming);
  if (head instanceof Denial) {
    parts.onRefused(head, address);
    newExchange({ incoming, outgoing }, { parts, head: NOTHING_PRESENTED, requestId, address }).refuse(
      head,
      {},
    );
    return;
  }
  const path = parts.serveCall === undefined ? undefined : findCallPath(head.path);
  const dialect = DIALECTS[path?.endpoint ?? 'chat.completions'];
  const exchange = newExchange({ incoming, outgoing }, { parts, head, requestId, address, dialect });
  if (path !== undefined && parts.serveCall !== undefined) {
    if (head.method === 'POST') parts.serveCall(path, exchange).catch(() => outgoing.destroy());
    else {
      const denial = new Denial('method_not_allowed', { message: 'Use POST.' });
      parts.onRefused(denial, address);
      exchange.refuse(denial, { allow: 'POST' });
    }
    return;
  }
  const request: ControlRequest = {
    method: head.method,
    url: `http://keyfold${incoming.url ?? '/'}`,
    headers: controlHeaders(incoming),
    bindings: {
      presented: head,
      requestId,
      address,
      readBody: (isProved) => exchange.readBody(isProved),
      vouch: () => exchange.vouch(),
    },
  };
  parts
    .serveControl(request)
    .then((response) => sendResponse(response, { incoming, outgoing }))
    .catch(() => outgoing.destroy());
}

function newExchange(
  pair: { incoming: IncomingMessage; outgoing: ServerResponse },
  of: {
    parts: ListenerParts;
    head: PresentedRequest;
    requestId: string;
    address: string;
    dialect?: Dialect;
  },
): NodeExchange {
  return new NodeExchange(pair, {
    head: of.head,
    requestId: of.requestId,
    address: of.address,
    ...(of.dialect === undefined ? {} : { dialect: of.dialect }),
    bodyBytesMax: of.parts.bodyBytesMax,
  });
}

/** The few headers that the control plane reads. */
function controlHeaders(incoming: IncomingMessage): Headers {
  const headers = new Headers();
  for (const name of ['content-type', 'accept', 'idempotency-key'] as const) {
    const value = incoming.headers[name];
    if (typeof value === 'string') headers.set(name, value);
  }
  return headers;
}
