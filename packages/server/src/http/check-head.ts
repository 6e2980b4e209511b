/** Judges a request's head before anything acts on it: one reading of its headers and path, or a refusal (security.md 8). */
import type { IncomingMessage } from 'node:http';
import { SECRET_PATTERN } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import { type PresentedRequest, SIGNATURE_HEADERS } from '../signing/presented.ts';
import { HTTP_LIMITS } from './limits.ts';

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
  'content-digest',
  ...SIGNATURE_HEADERS,
]);
const SIGNATURE = new Set<string>(SIGNATURE_HEADERS);
const BEARER = /^Bearer +([^\s]+)$/i;
/** Dot segments, empty segments, encoded separators and NUL, a fragment, and anything outside visible ASCII. */
const DANGEROUS_PATH = /\/\/|\/\.{1,2}(?:\/|$)|%(?:2f|5c|2e|00)|[^\x21-\x7e]|[\\#]/i;
const SECRET_IN_URL = new RegExp(SECRET_PATTERN.source);
const KEY_PARAMETER = /(?:^|&)(?:api[_-]?key|key|access_token|token)=/i;

/** What is routed is what is authorized, and what was signed. */
export function checkHead(incoming: IncomingMessage): PresentedRequest | Denial {
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
  const presented = readHeaders(incoming.rawHeaders);
  if (presented instanceof Denial) return presented;
  return {
    ...presented,
    method: incoming.method ?? '',
    path,
    query,
    header: (name) => headerOf(incoming, name),
  };
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** One pass over the raw headers: refuses duplicates and encodings, and picks the one secret and the signature. */
function readHeaders(raw: readonly string[]): Pick<PresentedRequest, 'secret' | 'signature'> | Denial {
  const seen = new Set<string>();
  let secret: string | undefined;
  let signature: Map<string, string> | undefined;
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
    if (SIGNATURE.has(name)) (signature ??= new Map()).set(name, value);
    const presented = secretIn(name, value);
    if (presented === undefined) continue;
    if (secret !== undefined && secret !== presented) {
      return new Denial('invalid_request', { message: 'Two different keys were sent.', reason: 'two_keys' });
    }
    secret = presented;
  }
  return { secret, signature };
}

function secretIn(name: string, value: string): string | undefined {
  if (name === 'authorization') return BEARER.exec(value)?.[1] ?? value;
  return name === 'x-api-key' || name === 'x-goog-api-key' ? value : undefined;
}
