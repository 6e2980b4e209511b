/** `GET /v1/audit/export`: the log as a file. Whole and verifiable for keys with `'*'`; else the organization's events. */
import { readExport } from '../../audit/export/read-export.ts';
import { EVERY_PERMISSION } from '../../keys/key.ts';
import type { Database } from '../../storage/database.ts';
import { type Endpoint, type Reply, type StreamedText, defineEndpoint } from '../endpoint.ts';
import { checkRange, time, z } from '../schemas.ts';
import { nodeNumber } from './place.ts';
import { EXPORT_FORMATS, type ExportFormat, exportFormat } from './export-formats.ts';

export interface ExportRooms {
  readonly database: Database;
}

export function exportEndpoint({ database }: ExportRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/audit/export',
    permission: 'audit:read',
    tag: 'Audit',
    summary:
      "The audit log as a file. With '*' the log of all organizations; as `jsonl` it can be verified offline.",
    query: z.strictObject({
      format: z.enum(EXPORT_FORMATS).default('jsonl'),
      from: time.optional(),
      to: time.optional(),
      node: nodeNumber.optional(),
    }),
    response: { status: 200, contentType: 'application/jsonl', schema: z.string() },
    handle: ({ principal, query }) => {
      const wrong = checkRange(query);
      if (wrong !== undefined) return Promise.resolve(wrong);
      const { organizationId, permissions } = principal.key;
      const isWhole = permissions.includes(EVERY_PERMISSION);
      const format = exportFormat(query.format, isWhole);
      const rows = () =>
        readExport(database, {
          organizationId: isWhole ? undefined : organizationId,
          node: query.node,
          fromMs: query.from,
          toMs: query.to,
        });
      return Promise.resolve<Reply>({ status: 200, body: undefined, stream: streamOf(format, rows) });
    },
  });
}

function streamOf(format: ExportFormat, rows: () => ReturnType<typeof readExport>): StreamedText {
  return {
    contentType: format.contentType,
    async *pieces(signal) {
      if (format.beginning !== '') yield format.beginning;
      for await (const page of rows()) {
        if (signal.aborted) return;
        if (page.length > 0) yield page.map(format.line).join('');
      }
    },
  };
}
