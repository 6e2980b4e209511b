/** A record as the API shows it: its id, then its facts by their names, whichever form it is stored in. */
import { readRecord } from './call-record.ts';

export function viewRecord(record: string): Readonly<Record<string, unknown>> {
  const fields = readRecord(record);
  return { id: `${String(fields['node'])}-${String(fields['sequence'])}`, ...fields };
}
