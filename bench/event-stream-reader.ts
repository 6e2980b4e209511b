/** Reads one chunked HTTP/1.1 answer that is an event stream, and notes when each event of ours arrived. */
import { renderEventMarker } from './payload.ts';

/** Single use: one reader an answer. The texts are ASCII, so a character is a byte. */
export class EventStreamReader {
  /** When each content event arrived, in order. */
  readonly arrivalsMs: number[] = [];
  /** The provider's `[DONE]` was seen. */
  done = false;
  /** The answer is complete. */
  ended = false;
  /** What was wrong with the answer, if anything. */
  problem: string | undefined;

  #headRead = false;
  #raw = '';
  #chunkLeft = 0;
  #event = '';

  read(bytes: Buffer): void {
    this.#raw += bytes.toString('latin1');
    if (!this.#headRead && !this.#readHead()) return;
    while (!this.ended && this.problem === undefined && this.#readChunkPart());
  }

  #readHead(): boolean {
    const end = this.#raw.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = this.#raw.slice(0, end).toLowerCase();
    if (!head.startsWith('http/1.1 200')) this.problem = `answered ${this.#raw.slice(0, 300)}`;
    else if (!head.includes('\r\ntransfer-encoding: chunked')) this.problem = 'the answer is not chunked';
    this.#raw = this.#raw.slice(end + 4);
    this.#headRead = true;
    return true;
  }

  /** Takes what there is of one chunk; false when more bytes are needed. */
  #readChunkPart(): boolean {
    if (this.#chunkLeft === 0) {
      const end = this.#raw.indexOf('\r\n');
      if (end < 0) return false;
      const size = Number.parseInt(this.#raw.slice(0, end), 16);
      if (Number.isNaN(size)) this.problem = 'a chunk has no size';
      if (size === 0) this.ended = true;
      this.#raw = this.#raw.slice(end + 2);
      this.#chunkLeft = size + 2;
    }
    if (this.#raw === '') return false;
    const part = this.#raw.slice(0, this.#chunkLeft);
    this.#raw = this.#raw.slice(part.length);
    // The last two bytes of a chunk are its line end, not data.
    const dataLength = Math.min(part.length, Math.max(0, this.#chunkLeft - 2));
    this.#chunkLeft -= part.length;
    this.#readData(part.slice(0, dataLength));
    return true;
  }

  #readData(text: string): void {
    const events = (this.#event + text).split('\n\n');
    this.#event = events.pop() ?? '';
    for (const event of events) this.#noteEvent(event);
  }

  #noteEvent(event: string): void {
    if (event.includes(renderEventMarker(this.arrivalsMs.length))) this.arrivalsMs.push(performance.now());
    else if (event === 'data: [DONE]') this.done = true;
    else if (!event.includes('"choices":[]')) this.problem ??= `unexpected event: ${event.slice(0, 200)}`;
  }
}
