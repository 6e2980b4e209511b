/**
 * Responsible for changing a few fields of a client's body while every other byte stays as the client wrote it: fields
 * that Keyfold does not know, their order, spaces and the spelling of numbers.
 */
import type { JsonObjectScan, JsonSpan } from '../kernel/json-scan.ts';
import type { ModelCall } from './provider.ts';

/** Gathers edits, which must not overlap, and makes them all at once. Values are given as JSON text. */
export class BodyEdits {
  readonly #scan: JsonObjectScan;
  readonly #edits: Edit[] = [];
  readonly #appended: string[] = [];

  constructor(scan: JsonObjectScan) {
    this.#scan = scan;
  }

  /** Gives the body the vendor's name of the model, where it has another. */
  renameModel({ upstreamModel }: ModelCall): void {
    const model = this.#scan.field('model');
    if (model?.kind !== 'string' || this.#scan.readString(model) === upstreamModel) return;
    this.replace(model, JSON.stringify(upstreamModel));
  }

  replace(span: JsonSpan, json: string): void {
    this.#edits.push({ start: span.start, end: span.end, text: json });
  }

  /** Adds a field that the body does not have: a second one of the same name would be ambiguous. */
  append(field: string, json: string): void {
    this.#appended.push(`"${field}":${json}`);
  }

  /** Adds a field to an object inside the body, once for each object. */
  appendTo(object: JsonObjectScan, field: string, json: string): void {
    this.#edits.push(insertion(object, `"${field}":${json}`));
  }

  /** Sets a field that is absent or null; one that the client has set stays. */
  setWhereUnset(field: string, json: string): void {
    const present = this.#scan.field(field);
    if (present === undefined) this.append(field, json);
    else if (present.kind === 'null') this.replace(present, json);
  }

  /** The edited body; the very same buffer where there is nothing to edit. */
  apply(): Buffer {
    const edits = [...this.#edits];
    if (this.#appended.length > 0) edits.push(insertion(this.#scan, this.#appended.join(',')));
    return edits.length === 0 ? this.#scan.body : splice(this.#scan.body, edits);
  }
}

/** Replaces the bytes from `start` to `end`; an insertion where they are equal. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function insertion(object: JsonObjectScan, fields: string): Edit {
  const { closingBrace, isEmpty } = object;
  return { start: closingBrace, end: closingBrace, text: isEmpty ? fields : `,${fields}` };
}

function splice(body: Buffer, edits: Edit[]): Buffer {
  edits.sort((left, right) => left.start - right.start);
  let length = body.length;
  for (const edit of edits) length += Buffer.byteLength(edit.text) - (edit.end - edit.start);
  const edited = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const edit of edits) {
    to += body.copy(edited, to, from, edit.start);
    to += edited.write(edit.text, to);
    from = edit.end;
  }
  body.copy(edited, to, from);
  return edited;
}
