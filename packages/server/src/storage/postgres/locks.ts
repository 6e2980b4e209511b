/** The advisory locks that say which Keyfold processes have a database open. They end with the session that took them. */
import type pg from 'pg';
import { NODES_MAX } from '../database.ts';

/** Namespace of the locks on node numbers, so that Keyfold never meets another program's. */
const NODE_LOCKS = 1_802_201_957;
const MIGRATION_LOCK = 1_802_201_958;
/** Held by the process that writes the search index of the audit log. */
export const SEARCH_INDEX_LOCK = 1_802_201_959;
/** Namespace of the locks on boots: the upper 16 bits of a 64-bit lock, whose lower 48 are the boot. */
const BOOT_LOCKS = 27_494;
const BOOT = /^[0-9a-f]{12}$/;
const BOOT_BITS = 48n;

/** The boots whose locks are held, of any session: the server shows them as halves of 32 bits. */
export const LIVING_BOOTS = `select distinct
    lpad(to_hex(classid::bigint & 65535), 4, '0') || lpad(to_hex(objid::bigint), 8, '0') as boot
  from pg_locks
  where locktype = 'advisory' and objsubid = 1 and granted and classid::bigint >> 16 = ${BOOT_LOCKS}
    and database = (select oid from pg_database where datname = current_database())`;

/** The nodes whose locks are held: their processes live, or their sessions have not ended yet. */
export const LIVING_NODES = `select distinct objid::int as node
  from pg_locks
  where locktype = 'advisory' and objsubid = 2 and granted and classid::bigint = ${NODE_LOCKS}
    and database = (select oid from pg_database where datname = current_database())`;

/** Runs `work` while no other process runs its own. */
export async function withMigrationLock(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
  await work();
  await client.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
}

/**
 * Tells that this boot lives. Shared, so that a new session of the process has it at once even where the server has not
 * noticed yet that the old one is gone.
 */
export async function lockBoot(client: pg.Client, boot: string): Promise<void> {
  if (!BOOT.test(boot)) throw new RangeError(`a boot is 12 hexadecimal digits, not ${boot}`);
  const key = (BigInt(BOOT_LOCKS) << BOOT_BITS) | BigInt(`0x${boot}`);
  await client.query('select pg_advisory_lock_shared($1)', [key]);
}

/** Takes a free node number: the preferred one, else the first. */
export async function claimNode(client: pg.Client, preferred: number | undefined): Promise<number> {
  const numbers = Array.from({ length: NODES_MAX.postgres }, (_, index) => index + 1);
  for (const node of preferred === undefined ? numbers : [preferred, ...numbers]) {
    const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1, $2) as held', [
      NODE_LOCKS,
      node,
    ]);
    if (rows[0]?.held === true) return node;
  }
  throw new Error(`all ${NODES_MAX.postgres} places of this database are taken by running Keyfold processes`);
}
