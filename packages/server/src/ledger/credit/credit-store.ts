/** The credit's SQL. Accounts and entries carry a MAC: one that was edited behind Keyfold's back denies every call. */
import { type Id, type Nanos, nanos } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Clock } from '../../kernel/clock.ts';
import { ExpiringCache } from '../../kernel/expiring-cache.ts';
import { Fault } from '../../kernel/fault.ts';
import type { RowMac } from '../../sealing/row-mac.ts';
import type { Database } from '../../storage/database.ts';
import type { Schema } from '../../storage/schema.ts';
import type { BalanceStep, SqlStep } from '../../storage/statement.ts';
import type { AccountName, CreditAccount, CreditEntry, CreditState, EntryKind } from './account.ts';

const CACHE = { entriesMax: 10_000, ttlMs: 60_000 };
/** What a cache holds for an organization without an account: its calls are bounded by budgets alone. */
const NONE = Symbol('none');

export class CreditStore {
  readonly #database: Database;
  readonly #mac: RowMac;
  readonly #byOrganization: ExpiringCache<CreditAccount | typeof NONE>;

  constructor(parts: { readonly database: Database; readonly mac: RowMac; readonly clock: Clock }) {
    this.#database = parts.database;
    this.#mac = parts.mac;
    this.#byOrganization = new ExpiringCache(CACHE, parts.clock);
  }

  /** As of a revision of the organization or later: a reservation decided under an older one is refused. */
  async forOrganization(id: Id<'organization'>, revision: number): Promise<CreditAccount | undefined> {
    const name = `${id} ${revision}`;
    const cached = this.#byOrganization.get(name);
    if (cached !== undefined) return cached === NONE ? undefined : cached;
    const account = await this.load(id);
    this.#byOrganization.set(name, account ?? NONE);
    return account;
  }

  async load(id: Id<'organization'>): Promise<CreditAccount | undefined> {
    const [row] = await this.#database.read((db) =>
      db.selectFrom('credit_accounts').selectAll().where('organization_id', '=', id),
    );
    return row === undefined ? undefined : this.#accountFrom(row);
  }

  async stateOf(account: CreditAccount): Promise<CreditState> {
    const [balance] = await this.#database.read((db) =>
      db
        .selectFrom('balances')
        .selectAll()
        .where('budget_id', '=', account.id)
        .where('period_start', '=', 0n),
    );
    const posted = nanos(balance?.posted_nanos ?? 0n);
    const held = nanos(balance?.held_nanos ?? 0n);
    return { account, posted, held, remaining: nanos(account.credited - posted - held) };
  }

  /** What calls of each day have cost, by the start of the day, from a day on and before another. */
  async spentByDay(account: CreditAccount, span: { readonly fromMs: number; readonly toMs: number }) {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('balances')
        .selectAll()
        .where('budget_id', '=', account.id)
        .where('period_start', '>', 0n)
        .where('period_start', '>=', BigInt(span.fromMs))
        .where('period_start', '<', BigInt(span.toMs))
        .orderBy('period_start'),
    );
    return rows.map((row) => ({
      dayMs: Number(row.period_start),
      posted: nanos(row.posted_nanos),
      held: nanos(row.held_nanos),
    }));
  }

  /** All entries in their order. Throws where one was changed, or is gone: the books are whole or not shown. */
  async entriesOf(account: CreditAccount): Promise<CreditEntry[]> {
    const rows = await this.#database.read(
      (db) =>
        db
          .selectFrom('credit_entries')
          .selectAll()
          .where('organization_id', '=', account.organizationId)
          .where('number', '<=', BigInt(account.entries))
          .orderBy('number'),
      'report',
    );
    const entries = rows.map((row) => this.#entryFrom(row));
    const isWhole =
      entries.length === account.entries && entries.every(({ number }, at) => number === at + 1);
    if (!isWhole) throw edited(`entries of ${account.id} are missing`);
    return entries;
  }

  /** Opens an account, or adds an entry to it: refused where another came first. */
  enterSteps(
    entry: CreditEntry,
    of: { readonly before?: CreditAccount | undefined; readonly after: CreditAccount },
  ): SqlStep[] {
    return [this.#accountStep(of.before, of.after), this.#entryStep(entry)];
  }

  /** A guard that what is posted and held stays within an amount. */
  coveredStep(account: CreditAccount, credited: Nanos): BalanceStep {
    return { balance: { budgetId: account.id, periodStartMs: 0 }, posted: 0n, held: 0n, cap: credited };
  }

  async hasReference(organizationId: Id<'organization'>, reference: string): Promise<boolean> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('credit_entries')
        .select('id')
        .where('organization_id', '=', organizationId)
        .where('reference', '=', reference),
    );
    return rows.length > 0;
  }

  #accountStep(before: CreditAccount | undefined, after: CreditAccount): SqlStep {
    const mac = this.#mac.sign('credit_accounts', accountFields(after));
    const changed = { credited_nanos: after.credited, entries: after.entries, mac };
    if (before !== undefined) {
      const macBefore = this.#mac.sign('credit_accounts', accountFields(before));
      return this.#database.step(
        (db) =>
          db
            .updateTable('credit_accounts')
            .set(changed)
            .where('id', '=', after.id)
            .where('mac', '=', macBefore),
        'changes-row',
      );
    }
    const row = {
      id: after.id,
      organization_id: after.organizationId,
      opened_at: after.openedAtMs,
      ...changed,
    };
    return this.#database.step(
      (db) =>
        db
          .insertInto('credit_accounts')
          .values(row)
          .onConflict((conflict) => conflict.doNothing()),
      'changes-row',
    );
  }

  #entryStep(entry: CreditEntry): SqlStep {
    const row = {
      id: entry.id,
      organization_id: entry.organizationId,
      number: entry.number,
      kind: entry.kind,
      from_account: entry.from,
      to_account: entry.to,
      amount_nanos: entry.amount,
      currency: entry.currency,
      paid: String(entry.paid),
      usd_per_unit_nanos: entry.usdPerUnit,
      rate_source: entry.rateSource ?? null,
      reference: entry.reference ?? null,
      note: entry.note ?? null,
      actor: entry.actor,
      created_at: entry.createdAtMs,
      mac: this.#mac.sign('credit_entries', entryFields(entry)),
    };
    return this.#database.step(
      (db) =>
        db
          .insertInto('credit_entries')
          .values(row)
          .onConflict((conflict) => conflict.doNothing()),
      'changes-row',
    );
  }

  #accountFrom(row: Selectable<Schema['credit_accounts']>): CreditAccount {
    const account: CreditAccount = {
      id: row.id as Id<'creditAccount'>,
      organizationId: row.organization_id as Id<'organization'>,
      credited: nanos(row.credited_nanos),
      entries: Number(row.entries),
      openedAtMs: Number(row.opened_at),
    };
    if (!this.#mac.holds('credit_accounts', { fields: accountFields(account), mac: row.mac })) {
      throw edited(`the row of credit account ${row.id}`);
    }
    return account;
  }

  #entryFrom(row: Selectable<Schema['credit_entries']>): CreditEntry {
    const entry: CreditEntry = {
      id: row.id as Id<'creditEntry'>,
      organizationId: row.organization_id as Id<'organization'>,
      number: Number(row.number),
      kind: row.kind as EntryKind,
      amount: nanos(row.amount_nanos),
      from: row.from_account as AccountName,
      to: row.to_account as AccountName,
      currency: row.currency,
      paid: BigInt(row.paid),
      usdPerUnit: nanos(row.usd_per_unit_nanos),
      rateSource: row.rate_source ?? undefined,
      reference: row.reference ?? undefined,
      note: row.note ?? undefined,
      actor: row.actor,
      createdAtMs: Number(row.created_at),
    };
    if (!this.#mac.holds('credit_entries', { fields: entryFields(entry), mac: row.mac })) {
      throw edited(`the row of credit entry ${row.id}`);
    }
    return entry;
  }
}

function edited(what: string): Fault {
  return new Fault('unavailable', { internal: `${what} was edited outside Keyfold` });
}

function accountFields(account: CreditAccount): (string | number | Nanos)[] {
  return [account.id, account.organizationId, account.credited, account.entries, account.openedAtMs];
}

function entryFields(entry: CreditEntry): (string | number | bigint | null)[] {
  return [
    entry.id,
    entry.organizationId,
    entry.number,
    entry.kind,
    entry.from,
    entry.to,
    entry.amount,
    entry.currency,
    entry.paid,
    entry.usdPerUnit,
    entry.rateSource ?? null,
    entry.reference ?? null,
    entry.note ?? null,
    entry.actor,
    entry.createdAtMs,
  ];
}
