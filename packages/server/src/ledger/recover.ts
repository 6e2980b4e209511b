/** Resolves what dead processes left: their calls may have been sent, so each is charged at its estimate and flagged. */
import { type Id, nanos } from '@keyfold/protocol';
import type { Database } from '../storage/database.ts';
import type { Ledger } from './ledger.ts';
import type { Reservation } from './reservation.ts';
import { parseStoredCall } from './stored-call.ts';

/** Reservations read at once. */
const PAGE = 500;

/**
 * Expires every reservation of a process that no longer lives, and returns how many. Safe to run at any time and on
 * every node at once: a reservation is resolved once, whoever comes first.
 */
export async function recoverReservations(database: Database, ledger: Ledger): Promise<number> {
  let expired = 0;
  for (const node of await nodesWithOthersReservations(database)) {
    if (!(await database.claimDeadNode(node))) continue;
    try {
      expired += await expireNode(database, { ledger, node });
    } finally {
      await database.releaseDeadNode(node);
    }
  }
  return expired;
}

async function nodesWithOthersReservations(database: Database): Promise<number[]> {
  const rows = await database.read((db) =>
    db.selectFrom('reservations').select('node').distinct().where('boot', '!=', database.boot),
  );
  return rows.map((row) => Number(row.node));
}

async function expireNode(database: Database, at: { ledger: Ledger; node: number }): Promise<number> {
  let expired = 0;
  for (;;) {
    const rows = await database.read((db) =>
      db
        .selectFrom('reservations')
        .selectAll()
        .where('node', '=', BigInt(at.node))
        .where('boot', '!=', database.boot)
        .limit(PAGE),
    );
    if (rows.length === 0) return expired;
    const resolved = await Promise.all(
      rows.map((row) => {
        const { call, holds } = parseStoredCall(row.call);
        const reservation: Reservation = {
          id: row.id as Id<'reservation'>,
          call,
          holds,
          held: nanos(row.held_nanos),
          reservedAtMs: Number(row.reserved_at),
        };
        return expire(at.ledger, reservation);
      }),
    );
    expired += resolved.filter(Boolean).length;
  }
}

function expire(ledger: Ledger, reservation: Reservation): Promise<boolean> {
  return ledger.resolve(reservation, {
    kind: 'expiry',
    cost: reservation.held,
    usage: {
      inputTokens: 0,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
      certainty: 'estimated',
    },
    status: 0,
    error: 'process_died',
    flags: ['estimated'],
  });
}
