/** Reports of keys that were found where they should not be. */
import type { CallOptions, Requester } from './requester.ts';
import type { Leak, ReportLeakBody } from './wire.ts';

export class LeaksApi {
  readonly #client: Requester;

  constructor(client: Requester) {
    this.#client = client;
  }

  /** Says what was found and where. The answer says what was done about it at once. */
  report(body: ReportLeakBody, options: CallOptions = {}): Promise<Leak> {
    return this.#client.request('POST', '/v1/leaks', { ...options, body });
  }
}
