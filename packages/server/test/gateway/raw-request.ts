/** Test support: requests as bytes on a socket, since client libraries refuse to send what a server must refuse to take. */
import { connect } from 'node:net';
import type { Body } from '../keyfold.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  /** The body as a JSON object; empty when it is none. */
  readonly body: Body;
  /** The server ended the connection after its answer. */
  readonly isClosed: boolean;
}

export interface RawRequest {
  readonly method?: string;
  /** As it stands in the request line. */
  readonly target: string;
  /** In order, as often as they are given; `host`, `content-type` and `content-length` are added where they are absent. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Buffer;
}

const TIMEOUT_MS = 20_000;
/** A connection that the server means to close is closed by then. */
const CLOSE_WITHIN_MS = 1_000;

export function sendRaw(url: string, request: RawRequest): Promise<RawAnswer> {
  const { method = 'POST', target, headers = [], body = '' } = request;
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const all: (readonly [string, string])[] = [...headers];
  if (!names.has('host')) all.unshift(['Host', new URL(url).host]);
  if (!names.has('content-type')) all.push(['Content-Type', 'application/json']);
  if (!names.has('content-length') && !names.has('transfer-encoding'))
    all.push(['Content-Length', String(Buffer.byteLength(body))]);
  const head = all.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return sendBytes(
    url,
    Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${head}\r\n`), Buffer.from(body)]),
  );
}

/** Sends the bytes and nothing more; resolves with the first answer. */
export function sendBytes(url: string, bytes: Buffer | string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    socket.write(bytes);
    const chunks: Buffer[] = [];
    let closing: NodeJS.Timeout | undefined;
    const finish = (isClosed: boolean) => {
      clearTimeout(timer);
      clearTimeout(closing);
      socket.destroy();
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer === undefined) reject(new Error(`no whole answer: ${Buffer.concat(chunks).toString()}`));
      else resolve({ ...answer, isClosed });
    };
    const timer = setTimeout(() => finish(false), TIMEOUT_MS);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (parseAnswer(Buffer.concat(chunks)) !== undefined) {
        closing ??= setTimeout(() => finish(false), CLOSE_WITHIN_MS);
        // The connection of an answer that does not say `close` stays open: there is nothing to wait for.
        if (!/\r\nconnection: close\r\n/i.test(Buffer.concat(chunks).toString('latin1'))) finish(false);
      }
    });
    socket.on('end', () => finish(true));
    // Whatever was read before a reset counts.
    socket.on('error', () => finish(true));
  });
}

function parseAnswer(bytes: Buffer): Omit<RawAnswer, 'isClosed'> | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = Number(headers.get('content-length') ?? 0);
  const content = bytes.subarray(headEnd + 4);
  if (content.length < length) return undefined;
  const text = content.toString('utf8');
  return { status: Number(statusLine.split(' ')[1]), headers, text, body: readObject(text) };
}

function readObject(text: string): Body {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Body) : {};
  } catch {
    return {};
  }
}
