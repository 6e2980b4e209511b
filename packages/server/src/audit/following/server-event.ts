/** A record as an event of a stream (WHATWG HTML, server-sent events). */
import { viewRecord } from '../view-record.ts';

/** JSON has no line feed outside its escapes, so the data is one line. */
export function renderServerEvent(id: string, record: string): string {
  return `id: ${id}\ndata: ${JSON.stringify(viewRecord(record))}\n\n`;
}
