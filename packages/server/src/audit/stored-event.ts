/** A stored record as searches, streams and alert rules see it: one shape, whichever form it is stored in. */
import { readRecord } from './call-record.ts';

export interface StoredEvent {
  readonly node: number;
  readonly sequence: number;
  readonly timeMs: number;
  readonly action: string;
  readonly actor: string;
  readonly target: string;
  readonly decision: string;
  readonly requestId: string | undefined;
  readonly organizationId: string | undefined;
  /** Where the request came from. */
  readonly address: string | undefined;
  /** Decimal dollars that a call was charged. */
  readonly costUsd: string | undefined;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Reads the bytes that were chained. Throws on what no writer of Keyfold's has written. */
export function readEvent(record: string): StoredEvent {
  const fields = readRecord(record);
  return {
    node: Number(fields['node']),
    sequence: Number(fields['sequence']),
    timeMs: Date.parse(String(fields['time'])),
    action: String(fields['action']),
    actor: String(fields['actor']),
    target: String(fields['target']),
    decision: String(fields['decision']),
    requestId: textOf(fields['request_id']),
    organizationId: textOf(fields['organization_id']),
    address: textOf(fields['address']),
    costUsd: textOf(fields['cost_usd']),
    detail: (fields['detail'] ?? {}) as Readonly<Record<string, unknown>>,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
