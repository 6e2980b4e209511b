/**
 * Responsible for a streamed answer to a client of the Responses API: numbered events, which begin with the response as it
 * was created and end with the whole of it.
 */
import type { ReportedUsage } from '../../providers/provider.ts';
import type { ChatEvent } from '../chat.ts';
import type { AnswerContext, StreamEncoder } from '../dialect.ts';
import { OutputWriter } from './write-output.ts';
import { headOf, type ResponseHead, writeBegun, writeEnded } from './write-response.ts';

export class ResponsesStreamEncoder implements StreamEncoder {
  readonly #context: AnswerContext;
  #head: ResponseHead;
  #output: OutputWriter;
  #usage: ReportedUsage | undefined = undefined;
  #sequence = 0;
  /** What the event that is being pushed has come to so far. */
  #written = '';

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#head = headOf({ id: '', model: '' }, context);
    this.#output = this.#createOutput();
  }

  push(event: ChatEvent): string {
    this.#written = '';
    this.#read(event);
    return this.#written;
  }

  #read(event: ChatEvent): void {
    // A response has one choice: no more can be asked for.
    if ('choice' in event) return event.choice === 0 ? this.#output.push(event) : undefined;
    switch (event.kind) {
      case 'start':
        this.#head = headOf(event, this.#context);
        this.#output = this.#createOutput();
        this.#emit('response.created', { response: writeBegun(this.#head) });
        return this.#emit('response.in_progress', { response: writeBegun(this.#head) });
      case 'usage':
        this.#usage = event.usage;
        return undefined;
      case 'end':
        return this.#end();
      case 'failed':
        return undefined;
    }
  }

  #end(): void {
    const response = writeEnded(this.#head, this.#output, this.#usage);
    const isComplete = this.#output.incompleteReason === undefined;
    this.#emit(isComplete ? 'response.completed' : 'response.incomplete', { response });
  }

  #createOutput(): OutputWriter {
    return new OutputWriter(this.#head.id, (type, fields) => this.#emit(type, fields));
  }

  #emit(type: string, fields: object): void {
    const data = JSON.stringify({ type, sequence_number: this.#sequence, ...fields });
    this.#sequence += 1;
    this.#written += `event: ${type}\ndata: ${data}\n\n`;
  }
}
