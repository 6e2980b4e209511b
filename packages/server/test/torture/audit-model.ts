/** Torture: what the audit log must say: unbroken chains, and every call opened once and resolved once, as it is booked. */
import { hash } from 'node:crypto';
import { readRecord } from '../../src/audit/call-record.ts';
import type { AuditRow, Books } from './books.ts';

interface AuditedCall {
  opened: number;
  readonly resolved: string[];
  costUsd: string | undefined;
}

const ACTION_OF = {
  settlement: 'call.settled',
  release: 'call.released',
  expiry: 'call.expired',
} as const;

const STEPS: ReadonlySet<string> = new Set(['call.opened', ...Object.values(ACTION_OF)]);

export function findAuditViolations({ audit, calls, reservations }: Books): string[] {
  const violations = findBrokenChains(audit);
  const audited = readCalls(audit);
  for (const call of calls) {
    const seen = audited.get(call.id);
    audited.delete(call.id);
    if (seen?.opened !== 1)
      violations.push(`${call.id} was opened ${seen?.opened ?? 0} times in the audit log`);
    const expected = ACTION_OF[call.resolution];
    if (seen?.resolved.length !== 1 || seen.resolved[0] !== expected)
      violations.push(
        `${call.id} is booked as ${call.resolution}, and audited as ${seen?.resolved.join(', ')}`,
      );
    if (seen !== undefined && toNanos(seen.costUsd) !== call.cost_nanos)
      violations.push(`${call.id} cost ${call.cost_nanos}, and ${seen.costUsd} dollars in the audit log`);
  }
  for (const { id } of reservations) {
    const seen = audited.get(id);
    audited.delete(id);
    if (seen?.opened !== 1 || seen.resolved.length > 0)
      violations.push(
        `${id} is reserved, opened ${seen?.opened ?? 0} times, resolved as ${seen?.resolved.join(', ')}`,
      );
  }
  for (const [id, seen] of audited)
    violations.push(`${id} is in the audit log (opened ${seen.opened} times) and in no book`);
  return violations;
}

/** Every node's records follow one another without a gap, and each head is the hash of all before it. */
function findBrokenChains(audit: readonly AuditRow[]): string[] {
  let [node, sequence, head]: [bigint, bigint, Buffer] = [0n, 0n, FIRST_HEAD];
  for (const row of audit) {
    if (row.node !== node) [node, sequence, head] = [row.node, 0n, FIRST_HEAD];
    sequence++;
    head = nextHead(head, row.record);
    if (row.sequence !== sequence || !head.equals(row.head))
      return [`the chain of node ${node} is broken at ${row.sequence}`];
  }
  return audit.length === 0 ? ['the audit log is empty'] : [];
}

/** `SHA-256(0x02 ‖ head ‖ SHA-256(0x00 ‖ record))`, as docs/audit-events.md says it. */
function nextHead(head: Buffer, record: string): Buffer {
  const leaf = hash('sha256', Buffer.from(`\0${record}`), 'buffer');
  return hash('sha256', Buffer.concat([Buffer.of(2), head, leaf]), 'buffer');
}

const FIRST_HEAD = Buffer.alloc(32);

function toNanos(usd: string | undefined): bigint | undefined {
  if (usd === undefined) return undefined;
  const [whole = '0', fraction = ''] = usd.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}

function readCalls(audit: readonly AuditRow[]): Map<string, AuditedCall> {
  const calls = new Map<string, AuditedCall>();
  for (const { record } of audit) {
    const event = readRecord(record) as { action: string; target: string; cost_usd?: string };
    if (!STEPS.has(event.action)) continue;
    const call = calls.get(event.target) ?? { opened: 0, resolved: [], costUsd: undefined };
    calls.set(event.target, call);
    if (event.action === 'call.opened') call.opened++;
    else {
      call.resolved.push(event.action);
      call.costUsd = event.cost_usd;
    }
  }
  return calls;
}
