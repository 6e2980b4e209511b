/** The parts of a request that an RFC 9421 signature can cover, and the value that each has there. */
import type { ItemParameters } from './structured-fields.ts';

/** A part of the message that is signed: a header by its lower-case name, or a derived component such as `@method`. */
export interface Component {
  readonly name: string;
  readonly parameters: ItemParameters;
}

/** A request as its signature sees it. */
export interface SignedMessage {
  readonly method: string;
  /** The `Host` header: with the port where it has one; in any case. */
  readonly authority: string;
  /** Raw, not decoded. */
  readonly path: string;
  /** Raw, without the `?`; empty when there is none. */
  readonly query: string;
  readonly scheme?: string;
  readonly targetUri?: string;
  /** By lower-case name; several lines of one name joined by `, `. */
  header(name: string): string | undefined;
}

/** What a component's value has to be: anything else could not be told from the next line, or has no one encoding. */
export const ONE_LINE = /^[\t -~]*$/;

/** What Keyfold requires a request's signature to cover; it may cover more. */
export function requiredComponents(request: {
  readonly hasContentType: boolean;
  readonly hasIdempotencyKey: boolean;
}): readonly string[] {
  return [
    '@method',
    '@authority',
    '@path',
    '@query',
    ...(request.hasContentType ? ['content-type'] : []),
    'content-digest',
    ...(request.hasIdempotencyKey ? ['idempotency-key'] : []),
  ];
}

/** The component's value (RFC 9421 section 2), or `undefined` when it is unknown, or the request has not exactly one. */
export function readComponent({ name, parameters }: Component, message: SignedMessage): string | undefined {
  if (name === '@query-param') return readQueryParameter(parameters, message.query);
  // The other parameters of components (`sf`, `key`, `bs`, `req`, `tr`) change what is signed, and are not supported.
  if (parameters.size > 0) return undefined;
  const path = message.path === '' ? '/' : message.path;
  switch (name) {
    case '@method':
      return message.method;
    case '@authority':
      return normalizeAuthority(message);
    case '@path':
      return path;
    case '@query':
      return `?${message.query}`;
    case '@scheme':
      return message.scheme?.toLowerCase();
    case '@target-uri':
      return message.targetUri;
    case '@request-target':
      return message.query === '' ? path : `${path}?${message.query}`;
    default:
      return FIELD_NAME.test(name) ? trimField(message.header(name)) : undefined;
  }
}

const IMPLIED_PORTS = new Map<string | undefined, string>([
  ['http', ':80'],
  ['https', ':443'],
]);
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/** Without the blanks around it. What is not one line of ASCII goes back as it is, to be refused. */
function trimField(value: string | undefined): string | undefined {
  return value !== undefined && ONE_LINE.test(value) ? value.trim() : value;
}

/** Lower-case, and without the port that the scheme implies, where the scheme is known (section 2.2.3). */
function normalizeAuthority({ authority, scheme }: SignedMessage): string {
  const port = IMPLIED_PORTS.get(scheme?.toLowerCase());
  const isImplied = port !== undefined && authority.endsWith(port);
  return (isImplied ? authority.slice(0, -port.length) : authority).toLowerCase();
}

/** Read as a form and spelled again in percent-encoding (section 2.2.8). A name that occurs twice has no value. */
function readQueryParameter(parameters: ItemParameters, query: string): string | undefined {
  const name = parameters.get('name');
  if (typeof name !== 'string' || parameters.size > 1) return undefined;
  // With its `?`, for a query that itself begins with one would lose it.
  const values = [...new URLSearchParams(`?${query}`)].filter(([each]) => percentEncode(each) === name);
  return values.length === 1 ? percentEncode(values[0]?.[1] ?? '') : undefined;
}

/** All but letters, digits and `*-._`, as forms do; a space is `%20`. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
