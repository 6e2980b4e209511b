/** The endpoints of the audit log: asking it, following it, proving it, exporting it, keeping it. */
import type { Endpoint } from '../endpoint.ts';
import { checkpointEndpoint } from './checkpoint-endpoint.ts';
import { type ExportRooms, exportEndpoint } from './export-endpoint.ts';
import { type HoldRooms, holdEndpoints } from './hold-endpoints.ts';
import { type ProofRooms, proofEndpoints } from './proof-endpoints.ts';
import { type SearchRooms, searchEndpoint } from './search-endpoint.ts';
import { type SinkRooms, sinksEndpoint } from './sinks-endpoint.ts';
import { type StreamRooms, streamEndpoint } from './stream-endpoint.ts';

export type AuditRooms = SearchRooms & StreamRooms & ProofRooms & SinkRooms & ExportRooms & HoldRooms;

export function auditEndpoints(rooms: AuditRooms): readonly Endpoint[] {
  return [
    searchEndpoint(rooms),
    streamEndpoint(rooms),
    checkpointEndpoint(rooms),
    ...proofEndpoints(rooms),
    sinksEndpoint(rooms),
    exportEndpoint(rooms),
    ...holdEndpoints(rooms),
  ];
}
