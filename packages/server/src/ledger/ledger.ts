/**
 * The only truth about money. A reservation holds a call's worst-case cost on every budget of the call in one durable
 * commit before anything is sent; it is resolved exactly once, by settlement, release or expiry.
 */
import { ZERO_NANOS, formatUsd } from '@keyfold/protocol';
import type { AuditDetail } from '../audit/audit-event.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Denial } from '../kernel/denial.ts';
import type { NewId } from '../kernel/new-id.ts';
import type { Database, Outcome } from '../storage/database.ts';
import type { Step } from '../storage/statement.ts';
import { NO_USAGE, type Usage } from '../pricing/model-price.ts';
import { budgetHold, capOf, creditExhausted, exhausted, holdOnCredit } from './holds.ts';
import { type LedgerStatements, prepareLedgerStatements } from './ledger-statements.ts';
import type { KeptSteps, Reservation, ReserveRequest, Resolution } from './reservation.ts';
import { callEvent } from './call-event.ts';
import { countTokens } from './token-classes.ts';

/** The key, its project or its organization changed since the call was authorized: decide again. */
export const STALE = Symbol('stale');
/** Something that the call claims was used up before. */
export const CLAIMED = Symbol('claimed');

/** Beyond it a resolution is left to recovery at the next start, which charges the reservation at its estimate. */
const POSTPONED_MAX = 50_000;
const DOUBTFUL_MAX = 20_000;
/** While so many wait, what goes with them is kept in memory as a whole. */
const POSTPONED_WHOLE_MAX = 64;
/**
 * What may be on its way to storage at once of what goes with resolutions. Units share a commit, and a commit crosses to
 * its writer as one text: without a bound it could be too long to be one, and would hold up everybody who waits for it.
 */
export const KEPT_UNDER_WAY_BYTES_MAX = 16 * 1_048_576;
/** Resolutions that are tried at once. */
const RETRY_PAGE = 500;

interface Postponed {
  readonly reservation: Reservation;
  readonly resolution: Resolution;
}

const NEVER_SENT: Resolution = {
  kind: 'release',
  cost: ZERO_NANOS,
  usage: NO_USAGE,
  status: 503,
  error: 'unavailable',
  flags: [],
};

export class Ledger {
  readonly #database: Database;
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #newId: NewId;
  readonly #sql: LedgerStatements;
  readonly #postponed = new Map<string, Postponed>();
  /** Reservations whose commit failed: most of them never came to be. */
  readonly #doubtful = new Map<string, Postponed>();
  #keptBytesUnderWay = 0;

  constructor(parts: { database: Database; audit: AuditLog; clock: Clock; newId: NewId }) {
    this.#database = parts.database;
    this.#audit = parts.audit;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
    this.#sql = prepareLedgerStatements(parts.database);
  }

  /**
   * Holds `amount` on all budgets and on the credit, or on none. Resolves when that is durable: from then on the call may be sent, and
   * counts as sent should this process die. Returns `budget_exhausted`, naming the budget that refused, or `credit_exhausted`.
   */
  async reserve(request: ReserveRequest): Promise<Reservation | Denial | typeof STALE | typeof CLAIMED> {
    const nowMs = this.#clock.nowMs();
    // A call that costs nothing, such as a test key's, is under no budget and needs no credit.
    const isFree = request.estimate === ZERO_NANOS;
    const budgets = isFree ? [] : request.budgets;
    const credit = isFree ? undefined : holdOnCredit(request, nowMs);
    const reservation: Reservation = {
      id: this.#newId('reservation'),
      call: request.call,
      held: request.amount,
      estimate: request.estimate,
      holds: [...budgets.map((budget) => budgetHold(budget, nowMs)), ...(credit?.holds ?? [])],
      reservedAtMs: nowMs,
    };
    const { claims, condition } = request;
    const steps: Step[] = [
      ...claims,
      this.#sql.checkRevision({ id: request.call.organizationId, revision: request.organizationRevision }),
      ...budgets.map((budget) => ({
        balance: budgetHold(budget, nowMs),
        posted: 0n,
        held: request.amount,
        ...capOf(budget, nowMs),
      })),
      ...(credit?.steps ?? []),
      // After all that can refuse without a write: a unit that is undone after one costs the whole batch a second run.
      ...(condition === undefined ? [] : [condition.stepFor(reservation.id)]),
      this.#sql.insertReservation(reservation, this.#database),
      this.#audit.step({
        ...callEvent('call.opened', reservation, { held_usd: formatUsd(request.amount) }),
        address: request.address,
      }),
    ];
    const outcome = await this.#commitOrUndo(reservation, steps);
    if (outcome.committed) return reservation;
    if (outcome.refusedStep < claims.length) return CLAIMED;
    // After the claims comes the revision; the balances follow in the order of the budgets.
    const place = outcome.refusedStep - claims.length - 1;
    if (place < 0) return STALE;
    const budget = budgets[place];
    if (budget !== undefined) return exhausted(budget, nowMs);
    const isOfCredit = place < budgets.length + (credit?.steps.length ?? 0);
    return isOfCredit || condition === undefined ? creditExhausted() : condition.refusal;
  }

  /**
   * Resolves a reservation once: moves its money from held to posted, writes the call's row and its audit record in one
   * commit. Returns false when it was resolved before; then nothing changes. When storage fails it throws, and the
   * resolution is kept for `retryPostponed`.
   */
  async resolve(reservation: Reservation, resolution: Resolution): Promise<boolean> {
    try {
      return await this.#write(reservation, resolution);
    } catch (error) {
      this.#postpone(reservation, resolution);
      throw error;
    }
  }

  /** Charges at its estimate what a dead process left: it may have been sent. Not kept when storage fails: recovery looks again. */
  expire(reservation: Reservation): Promise<boolean> {
    return this.#write(reservation, {
      kind: 'expiry',
      cost: reservation.estimate,
      usage: { ...NO_USAGE, provenance: 'estimated' },
      status: 0,
      error: 'process_died',
      flags: ['estimated'],
    });
  }

  /** Resolutions that storage would not take yet. */
  get postponed(): number {
    return this.#postponed.size + this.#doubtful.size;
  }

  /** Tries a page of what waits, settlements before doubts. Throws when one fails again: it and the rest go on waiting. */
  async retryPostponed(): Promise<void> {
    const page = [...this.#postponed, ...this.#doubtful].slice(0, RETRY_PAGE);
    const carries = ([, { resolution }]: (typeof page)[number]) => (resolution.kept?.bytes ?? 0) > 0;
    const light = page.filter((each) => !carries(each)).map(([id, waiting]) => this.#retry(id, waiting));
    const tries = [...light, this.#retryInTurn(page.filter(carries))];
    const failed = (await Promise.allSettled(tries)).find((tried) => tried.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** All at once they would be more than may be under way, and lose what goes with them. */
  async #retryInTurn(page: readonly (readonly [string, Postponed])[]): Promise<void> {
    for (const [id, waiting] of page) await this.#retry(id, waiting);
  }

  async #retry(id: string, { reservation, resolution }: Postponed): Promise<void> {
    await this.#write(reservation, resolution);
    this.#postponed.delete(id);
    this.#doubtful.delete(id);
  }

  /** A commit whose answer was lost may have held money for a call that is never sent: it is released when storage is back. */
  async #commitOrUndo(reservation: Reservation, steps: readonly Step[]): Promise<Outcome> {
    try {
      return await this.#database.commit({ steps });
    } catch (error) {
      const doubt = { reservation, resolution: NEVER_SENT };
      if (this.#doubtful.size < DOUBTFUL_MAX) this.#doubtful.set(reservation.id, doubt);
      throw error;
    }
  }

  #postpone(reservation: Reservation, resolution: Resolution): void {
    if (this.#postponed.size >= POSTPONED_MAX) return;
    const { kept } = resolution;
    const isTooMuch = kept !== undefined && this.#postponed.size >= POSTPONED_WHOLE_MAX;
    const waiting = isTooMuch
      ? { ...resolution, kept: { ...kept, whole: kept.brief, bytes: 0 } }
      : resolution;
    this.#postponed.set(reservation.id, { reservation, resolution: waiting });
  }

  async #write(reservation: Reservation, resolution: Resolution): Promise<boolean> {
    const flags = resolution.cost > reservation.held ? [...resolution.flags, 'overrun'] : resolution.flags;
    const resolved = { ...resolution, flags };
    const resolvedAtMs = this.#clock.nowMs();
    const steps: Step[] = [this.#sql.removeReservation(reservation.id)];
    for (const balance of reservation.holds) {
      steps.push({ balance, posted: resolution.cost, held: -reservation.held });
    }
    const { source, steps: recording } = this.#sql.recordCall(reservation, { ...resolved, resolvedAtMs });
    steps.push(...recording, this.#audit.step(resolutionEvent(reservation, { ...resolved, resolvedAtMs })));
    const { kept } = resolution;
    const keptBytes = this.#roomFor(kept);
    if (kept !== undefined) steps.push(keptBytes < kept.bytes ? kept.brief : kept.whole);
    // Where something is kept, somebody waits for it.
    const urgency = kept === undefined ? 'soon' : 'now';
    this.#keptBytesUnderWay += keptBytes;
    try {
      const { committed } = await this.#database.commit({ steps }, urgency);
      if (committed) source.onDurable();
      return committed;
    } catch (error) {
      source.onDoubt();
      throw error;
    } finally {
      this.#keptBytesUnderWay -= keptBytes;
    }
  }

  /** The bytes of what is kept, or 0 where they would be too many. */
  #roomFor(kept: KeptSteps | undefined): number {
    if (kept === undefined || this.#keptBytesUnderWay + kept.bytes > KEPT_UNDER_WAY_BYTES_MAX) return 0;
    return kept.bytes;
  }
}

function resolutionEvent(
  reservation: Reservation,
  resolution: Resolution & { readonly resolvedAtMs: number },
) {
  const actions = { settlement: 'call.settled', release: 'call.released', expiry: 'call.expired' } as const;
  const { usage } = resolution;
  return {
    ...callEvent(actions[resolution.kind], reservation, {
      status: resolution.status,
      ...tokenDetail(usage),
      duration_ms: resolution.resolvedAtMs - reservation.reservedAtMs,
      attempt: reservation.call.attempt,
      ...(resolution.error === undefined ? {} : { error: resolution.error }),
      ...(resolution.flags.length === 0 ? {} : { flags: resolution.flags }),
    }),
    cost: resolution.cost,
  };
}

/** The classes that were used; those that are absent were not. */
function tokenDetail(usage: Usage): AuditDetail {
  const detail: Record<string, string | number> = {};
  if (usage.provenance !== 'provider') detail['provenance'] = usage.provenance;
  for (const [name, tokens] of Object.entries(countTokens(usage))) if (tokens > 0) detail[name] = tokens;
  return detail;
}
