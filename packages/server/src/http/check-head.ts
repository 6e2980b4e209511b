/** Judges a request's head before anything acts on it: one reading of its headers and path, or a refusal (security.md 8). */
import type { IncomingMessage } from 'node:http';
import { SECRET_PATTERN } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import { HTTP_LIMITS } from './limits.ts';

export interface RequestHead {
  readonly method: string;
  /** As on the wire, without the query. What is routed is what is authorized. */
  readonly path: string;
  /** As on the wire, without its `?`. */
  readonly query: string;
  /** The presented secret; absent when there is none. */
  readonly secret: string | undefined;
}

/** Headers of which a second one is refused: parsers differ in which they believe. */
const SINGLE = new Set([
  'authorization',
  'host',
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'idempotency-key',
  'x-api-key',
  'x-goog-api-key',
  'x-signature',
  'x-signature-version',
  'x-key-id',
  'x-timestamp',
  'x-nonce',
]);
const BEARER = /^Bearer +([^\s]+)$/i;
/** Dot segments, empty segments, encoded separators and NUL, a fragment, and anything outside visible ASCII. */
const DANGEROUS_PATH = /\/\/|\/\.{1,2}(?:\/|$)|%(?:2f|5c|2e|00)|[^\x21-\x7e]|[\\#]/i;
const SECRET_IN_URL = new RegExp(SECRET_PATTERN.source);
const KEY_PARAMETER = /(?:^|&)(?:api[_-]?key|key|access_token|token)=/i;

export function checkHead(incoming: IncomingMessage): RequestHead | Denial {
  const url = incoming.url ?? '';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark + 1);
  if (!path.startsWith('/') || DANGEROUS_PATH.test(path)) {
    return new Denial('invalid_request', { message: 'The path is not acceptable.', reason: 'path' });
  }
  if ((mark !== -1 && KEY_PARAMETER.test(query)) || SECRET_IN_URL.test(url)) {
    return new Denial('secret_in_url', {
      message: 'Send the key in the Authorization header. This one was seen in a URL: rotate it.',
    });
  }
  if (incoming.rawHeaders.length > 2 * HTTP_LIMITS.headersMax) return new Denial('headers_too_large');
  const secret = readHeaders(incoming.rawHeaders);
  if (secret instanceof Denial) return secret;
  return { method: incoming.method ?? '', path, query, secret };
}

/** One pass over the raw headers: refuses duplicates and encodings, and picks the one secret. */
function readHeaders(raw: readonly string[]): string | undefined | Denial {
  const seen = new Set<string>();
  let secret: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase();
    if (!SINGLE.has(name)) continue;
    const value = raw[index + 1] ?? '';
    if (seen.has(name)) {
      return new Denial('invalid_request', {
        message: `The header ${name} was sent twice.`,
        param: name,
        reason: 'duplicate_header',
      });
    }
    seen.add(name);
    if (name === 'content-encoding' && value.toLowerCase() !== 'identity') {
      return new Denial('unsupported_media_type', {
        message: 'Send the body without a content encoding.',
        param: name,
      });
    }
    const presented = secretIn(name, value);
    if (presented === undefined) continue;
    if (secret !== undefined && secret !== presented) {
      return new Denial('invalid_request', { message: 'Two different keys were sent.', reason: 'two_keys' });
    }
    secret = presented;
  }
  return secret;
}

function secretIn(name: string, value: string): string | undefined {
  if (name === 'authorization') return BEARER.exec(value)?.[1] ?? value;
  return name === 'x-api-key' || name === 'x-goog-api-key' ? value : undefined;
}
