/** Speaks to the management API of a Keyfold server: one request, one JSON answer, problems (RFC 9457) as typed errors. */
import { randomUUID } from 'node:crypto';
import { type JsonObject, isJsonObject, textOf } from './json.ts';

export interface ControlRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the server's root, each segment encoded: `/v1/keys`. */
  readonly path: string;
  /** Absent values are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

export interface ControlClientOptions {
  readonly url: URL;
  /** Without it only what is open to everyone can be asked. */
  readonly adminKey: string | undefined;
  readonly timeoutMs: number;
}

/** The server answered with a problem. `code` is one of Keyfold's stable codes where the answer came from Keyfold. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterS: number | undefined;

  constructor(response: Response, problem: JsonObject) {
    const code = textOf(problem['code']);
    const title = textOf(problem['title']) ?? `The server answered ${response.status}.`;
    const detail = textOf(problem['detail']);
    super(detail === undefined || detail === title ? title : `${title} ${detail}`);
    this.name = 'ProblemError';
    this.status = response.status;
    this.code = code;
    this.requestId = textOf(problem['request_id']) ?? response.headers.get('x-request-id') ?? undefined;
    const retryAfterS = Number(response.headers.get('retry-after') ?? Number.NaN);
    this.retryAfterS = Number.isFinite(retryAfterS) ? retryAfterS : undefined;
  }
}

/** There was no answer, or none that Keyfold gives. `code` is the system's, such as `ECONNREFUSED`. */
export class UnreachableError extends Error {
  readonly code: string;

  constructor(message: string, code: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UnreachableError';
    this.code = code;
  }
}

/** What the system says of a connection that broke while the server may have been at work. */
const BROKEN: readonly string[] = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'];

/** A page of a hundred rows is far below it. */
const ANSWER_BYTES_MAX = 67_108_864;

export class ControlClient {
  readonly url: URL;
  readonly #adminKey: string | undefined;
  readonly #timeoutMs: number;

  constructor(options: ControlClientOptions) {
    this.url = options.url;
    this.#adminKey = options.adminKey;
    this.#timeoutMs = options.timeoutMs;
  }

  get hasKey(): boolean {
    return this.#adminKey !== undefined;
  }

  /** The answer's JSON object, empty for 204. Throws `ProblemError` or `UnreachableError`. */
  async send(request: ControlRequest): Promise<JsonObject> {
    const { response, text } = await this.exchange(request);
    const answer = parseObject(text);
    if (!response.ok) throw new ProblemError(response, answer ?? {});
    if (answer !== undefined) return answer;
    if (text === '') return {};
    throw new UnreachableError(`${this.url.origin} answers, but not as Keyfold does.`, 'not_keyfold');
  }

  /** An answer that is no JSON, such as CSV. Throws as `send` does. */
  async read(path: string): Promise<string> {
    const { response, text } = await this.exchange({ method: 'GET', path });
    if (!response.ok) throw new ProblemError(response, parseObject(text) ?? {});
    return text;
  }

  /**
   * An answer of any length, in pieces: the time limit is for each of them. Throws as `send` does, also in the middle, when
   * the answer breaks off.
   */
  async *stream({ path, query }: Pick<ControlRequest, 'path' | 'query'>): AsyncGenerator<Uint8Array> {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new DOMException('', 'TimeoutError')), this.#timeoutMs);
    try {
      const response = await this.#request({ method: 'GET', path, query: query ?? {} }, silence.signal);
      if (!response.ok) throw new ProblemError(response, parseObject(await readText(response)) ?? {});
      for await (const piece of response.body ?? []) {
        timer.refresh();
        yield piece as Uint8Array;
        timer.refresh();
      }
    } catch (error) {
      const isKnown = error instanceof UnreachableError || error instanceof ProblemError;
      throw isKnown ? error : this.#describeFailure(error);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /**
   * The answer whatever its status. Throws `UnreachableError`. A POST whose connection broke is sent once more under
   * the same Idempotency-Key: if the server did it the first time, it gives the first answer again.
   */
  async exchange(request: ControlRequest): Promise<{ response: Response; text: string }> {
    if (request.method !== 'POST') return this.#fetch(request, {});
    const headers = { 'idempotency-key': randomUUID() };
    try {
      return await this.#fetch(request, headers);
    } catch (error) {
      if (!(error instanceof UnreachableError && BROKEN.includes(error.code))) throw error;
      return this.#fetch(request, headers);
    }
  }

  async #fetch(
    request: ControlRequest,
    extraHeaders: Readonly<Record<string, string>>,
  ): Promise<{ response: Response; text: string }> {
    try {
      const response = await this.#request(request, AbortSignal.timeout(this.#timeoutMs), extraHeaders);
      return { response, text: await readText(response) };
    } catch (error) {
      throw error instanceof UnreachableError ? error : this.#describeFailure(error);
    }
  }

  #request(
    { method, path, query, body }: ControlRequest,
    signal: AbortSignal,
    extraHeaders: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const url = new URL(this.url.pathname.replace(/\/$/, '') + path, this.url);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const headers = new Headers({ accept: 'application/json', ...extraHeaders });
    if (this.#adminKey !== undefined) headers.set('authorization', `Bearer ${this.#adminKey}`);
    if (body !== undefined) headers.set('content-type', 'application/json');
    return fetch(url, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      // The key must not follow a redirection to wherever it leads.
      redirect: 'error',
      signal,
    });
  }

  #describeFailure(error: unknown): UnreachableError {
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      const message = `${this.url.origin} did not answer within ${this.#timeoutMs / 1_000} seconds.`;
      return new UnreachableError(message, 'timeout', error);
    }
    const cause = error instanceof Error ? error.cause : undefined;
    const code = isJsonObject(cause) ? textOf(cause['code']) : undefined;
    const reason = code ?? (cause instanceof Error ? cause.message : String(error));
    return new UnreachableError(
      `${this.url.origin} cannot be reached (${reason}).`,
      code ?? 'unreachable',
      error,
    );
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > ANSWER_BYTES_MAX) throw new UnreachableError('The answer is too long.', 'not_keyfold');
  }
  return text + decoder.decode();
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
