/** What the parts of the management API need of the client that they are parts of: one request, with whichever key. */

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For a POST that may have been sent before, by this or another process: the server does it once. */
  readonly idempotencyKey?: string | undefined;
}

export interface RequestOptions extends CallOptions {
  /** Absent values are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  /** Sent as JSON. */
  readonly body?: object | undefined;
}

export interface Requester {
  request<Answer>(method: Method, path: string, options?: RequestOptions): Promise<Answer>;
  /** The same server, asked with another key. */
  withKey(key: string | (() => string)): Requester;
}
