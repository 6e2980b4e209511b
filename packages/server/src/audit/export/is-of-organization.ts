/** Tells whose a stored record is from its text, without reading all of it. */
import { shortMark } from '../call-record.ts';

/** A quote inside a record's text is escaped, so that the mark stands nowhere but where it is a field. */
export function isOfOrganization(record: string, organizationId: string): boolean {
  const id = JSON.stringify(organizationId);
  return record.startsWith('[')
    ? record.includes(shortMark(organizationId))
    : record.includes(`"organization_id":${id}`);
}
