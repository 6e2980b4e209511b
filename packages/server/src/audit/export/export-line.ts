/**
 * One line of a verifiable export: `{"head":"<43 characters>","record":<the record>}`, the record byte for byte as it was
 * hashed. docs/audit-verification.md is its specification; archives have the same lines.
 */
import { headText } from '../../storage/audit-chain.ts';
import type { ChainRow } from './read-chain.ts';

export function renderExportLine({ head, record }: Pick<ChainRow, 'head' | 'record'>): string {
  return `{"head":"${headText(head)}","record":${record}}\n`;
}
