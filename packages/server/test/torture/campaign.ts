/** Torture: one database's worth of calls: who pays, what was sent, what was billed, and what the books must say of it. */
import { type KeyfoldProcess } from '../keyfold-process.ts';
import { type Behaviour, type MockProvider, startMockProvider } from '../mock-provider.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { type BooksPlace, readBooks } from './books.ts';
import { findBalanceViolations } from './balance-model.ts';
import { type ClientView, Load } from './load.ts';
import { type CheckOptions, type Known, type Totals, findViolations, totalsOf } from './model.ts';
import { Payers } from './payers.ts';
import { type PlannedCall, planCall } from './planned-call.ts';

/** The books contradict what happened. */
export class Violation extends Error {}

/** Violations that are told; one cause often has thousands. */
const TOLD_MAX = 10;
const LOOK_EVERY_MS = 250;
const WORKERS = 8;
/** Calls that are always under way when something breaks. */
const SILENT = 2;

/** Short, since the harness has providers that never answer. */
export const PATIENCE = {
  KEYFOLD_PROVIDER_HEADERS_TIMEOUT_S: '2',
  KEYFOLD_PROVIDER_IDLE_TIMEOUT_S: '2',
  KEYFOLD_STOP_TIMEOUT_S: '5',
};

export class Campaign implements AsyncDisposable {
  readonly provider: MockProvider;
  readonly known: Known;
  readonly plans = new Map<number, PlannedCall>();
  readonly views = new Map<number, ClientView>();
  readonly payers: Payers;
  readonly #random: SeededRandom;
  #lastNumber = 0;

  private constructor(of: { provider: MockProvider; payers: Payers; random: SeededRandom }) {
    this.provider = of.provider;
    this.payers = of.payers;
    this.#random = of.random;
    this.known = { payers: of.payers, provider: of.provider, plans: this.plans, views: this.views };
  }

  /** On a fresh installation, which must be running. */
  static async begin(
    process: Pick<KeyfoldProcess, 'url' | 'adminKey'>,
    random: SeededRandom,
  ): Promise<Campaign> {
    const provider = await startMockProvider({ remembersCalls: false });
    const payers = await Payers.create(process, provider.url);
    const campaign = new Campaign({ provider, payers, random });
    provider.behave(({ body }) => campaign.#behaviourOf(String(body['user'])));
    return campaign;
  }

  /** Of the call that was planned last. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Calls without pause, each to the process that `urlOf` says at that moment. */
  startLoad(urlOf: (call: PlannedCall) => string, of = { workers: WORKERS, silent: SILENT }): Load {
    return new Load({
      ...of,
      urlOf,
      secretOf: ({ payer }) => this.payers.secretOf(payer),
      next: (isSilent) => {
        const call = planCall(this.#random, { number: ++this.#lastNumber, isSilent });
        this.plans.set(call.number, call);
        return call;
      },
      onEnded: (call, view) => this.views.set(call.number, view),
    });
  }

  /** Throws `Violation`, saying what the books contradict. */
  async check(
    place: BooksPlace,
    when: string,
    options: CheckOptions & { readonly known?: Known },
  ): Promise<Totals> {
    const books = await readBooks(place);
    const known = options.known ?? this.known;
    this.#throwIfAny(findViolations(books, known, options), when);
    return totalsOf(books, known);
  }

  /**
   * Asks the books again and again until something is over: every balance is the sum of its calls and reservations, and no
   * cap is passed. Returns how often it looked.
   */
  async lookUntil(over: Promise<unknown>, place: BooksPlace, when: string): Promise<number> {
    let isOver = false;
    const ended = over.then(() => (isOver = true));
    for (let looks = 1; ; looks++) {
      await Promise.race([ended, afterMs(LOOK_EVERY_MS)]);
      const books = await readBooks(place, { withAudit: false });
      this.#throwIfAny(findBalanceViolations(books, this.payers, { isQuiet: false }), `${when}, under load`);
      if (isOver) return looks;
    }
  }

  #throwIfAny(violations: readonly string[], when: string): void {
    if (violations.length === 0) return;
    const told = violations.slice(0, TOLD_MAX).join('\n  ');
    throw new Violation(`${when}: ${violations.length} violations:\n  ${told}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider.stop();
  }

  #behaviourOf(user: string): Behaviour {
    if (!user.startsWith('torture-call-')) return { kind: 'ok' };
    const plan = this.plans.get(Number(/torture-call-(\d+);/.exec(user)?.[1]));
    if (plan === undefined) throw new Violation(`the provider got a call that nobody made: ${user}`);
    const tokens = { input: 0, output: plan.billedTokens };
    return { ...plan.conduct.behaviour, tokens };
  }
}

/** A pause that is part of the load, never a way to wait for something. */
export function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
