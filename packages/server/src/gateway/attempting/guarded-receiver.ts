/**
 * Keeps what is thrown while an answer is handled out of the HTTP client: there it would leave a hold standing and a client
 * waiting, and look like a broken connection of the provider's.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { UpstreamReceiver } from '../../upstream/send.ts';
import type { UpstreamFault } from '../../upstream/upstream-fault.ts';

export class GuardedReceiver implements UpstreamReceiver {
  readonly #receiver: UpstreamReceiver;
  readonly #onBroken: (cause: unknown) => void;

  constructor(receiver: UpstreamReceiver, onBroken: (cause: unknown) => void) {
    this.#receiver = receiver;
    this.#onBroken = onBroken;
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    try {
      this.#receiver.onHead(status, headers);
    } catch (error) {
      this.#onBroken(error);
    }
  }

  onBytes(chunk: Buffer): boolean {
    try {
      return this.#receiver.onBytes(chunk);
    } catch (error) {
      this.#onBroken(error);
      return false;
    }
  }

  onEnd(): void {
    try {
      this.#receiver.onEnd();
    } catch (error) {
      this.#onBroken(error);
    }
  }

  onFault(fault: UpstreamFault): void {
    try {
      this.#receiver.onFault(fault);
    } catch (error) {
      this.#onBroken(error);
    }
  }
}
