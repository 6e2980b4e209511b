/** Compares what a provider says was used with what Keyfold settled, for each model and key. */
import { ZERO_NANOS, formatUsd, nanos, parseUsd } from '@keyfold/protocol';
import { ExportError, type ExportRow } from './export.ts';

/** Sums of Keyfold's, for one model and credential. */
export interface OwnUsage {
  readonly model: string;
  readonly credentialId: string;
  readonly input: bigint;
  readonly cachedInput: bigint;
  readonly output: bigint;
  readonly calls: bigint;
  readonly costUsd: string;
}

export interface Counts {
  readonly input: bigint;
  readonly cachedInput: bigint;
  readonly output: bigint;
}

/** One model and key. Absent on a side that knows nothing of it. */
export interface Comparison {
  readonly model: string;
  /** A credential's name where the provider's key is known to be its; else the provider's. */
  readonly key: string;
  readonly theirs: Counts | undefined;
  readonly ours: (Counts & { readonly calls: bigint; readonly costUsd: string }) | undefined;
  /** Theirs less ours. */
  readonly drift: Counts;
  /** Of all tokens, in hundredths of a percent of theirs; 10,000 where only one side has any. */
  readonly driftBasisPoints: number;
}

/** Everything outside of a period belongs to another export. */
export function checkPeriod(rows: readonly ExportRow[], period: { fromMs: number; toMs: number }): void {
  const outside = rows.find(({ startMs, endMs }) => startMs < period.fromMs || endMs > period.toMs);
  if (outside === undefined && rows.length > 0) return;
  const asked = `${day(period.fromMs)} to ${day(period.toMs)}`;
  throw new ExportError(
    outside === undefined
      ? `The export has no usage in it: is it of ${asked}?`
      : `The export is of another period: it has usage of ${day(outside.startMs)}, and ${asked} was asked for.`,
  );
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** `nameOf` is what the provider's key and Keyfold's credential have in common: the credential's name. */
export function compare(
  rows: readonly ExportRow[],
  own: readonly OwnUsage[],
  nameOf: { readonly key: (theirs: string) => string; readonly credential: (id: string) => string },
): Comparison[] {
  const knowsKeys = rows.some(({ key }) => key !== undefined);
  const models = new Set(own.map(({ model }) => model));
  const theirs = new Map<string, Counts & Named>();
  for (const row of rows) {
    const key = knowsKeys ? (row.key === undefined ? NO_KEY : nameOf.key(row.key)) : ANY_KEY;
    add(theirs, { model: matchModel(row.model, models), key }, row);
  }
  const ours = new Map<string, Counts & Named & { calls: bigint; costUsd: string }>();
  for (const usage of own) {
    const named = { model: usage.model, key: knowsKeys ? nameOf.credential(usage.credentialId) : ANY_KEY };
    const before = ours.get(idOf(named));
    add(
      ours,
      {
        ...named,
        calls: usage.calls + (before?.calls ?? 0n),
        costUsd: addUsd(usage.costUsd, before?.costUsd),
      },
      usage,
    );
  }
  return [...new Set([...theirs.keys(), ...ours.keys()])].sort().map((id) => {
    const [their, our] = [theirs.get(id), ours.get(id)];
    const { model = '', key = '' } = their ?? our ?? {};
    const drift = subtract(their ?? NOTHING, our ?? NOTHING);
    return {
      model,
      key,
      theirs: their,
      ours: our,
      drift,
      driftBasisPoints: basisPoints(drift, their ?? NOTHING),
    };
  });
}

interface Named {
  readonly model: string;
  readonly key: string;
}

const NOTHING: Counts = { input: 0n, cachedInput: 0n, output: 0n };
/** The export does not tell keys apart. */
const ANY_KEY = 'all';
/** What was used without a key, such as in the provider's own playground. */
const NO_KEY = 'none';
const DATED = /-(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})$/;

/** Providers bill the dated model that answered; Keyfold keeps the name that was asked for. */
function matchModel(model: string, ours: ReadonlySet<string>): string {
  const plain = model.replace(DATED, '');
  return !ours.has(model) && ours.has(plain) ? plain : model;
}

function add<Entry extends Named>(to: Map<string, Entry & Counts>, entry: Entry, counts: Counts): void {
  const before = to.get(idOf(entry)) ?? NOTHING;
  to.set(idOf(entry), {
    ...entry,
    input: before.input + counts.input,
    cachedInput: before.cachedInput + counts.cachedInput,
    output: before.output + counts.output,
  });
}

function idOf({ model, key }: Named): string {
  return JSON.stringify([model, key]);
}

function subtract(a: Counts, b: Counts): Counts {
  return {
    input: a.input - b.input,
    cachedInput: a.cachedInput - b.cachedInput,
    output: a.output - b.output,
  };
}

function basisPoints(drift: Counts, theirs: Counts): number {
  const size = (amount: bigint) => (amount < 0n ? -amount : amount);
  const [input, cached] = [size(drift.input), size(drift.cachedInput)];
  // Cached input is input, too: what is off in both counts once.
  const off = (input > cached ? input : cached) + size(drift.output);
  const all = theirs.input + theirs.output;
  if (off === 0n) return 0;
  return all === 0n ? 10_000 : Number((off * 10_000n + all - 1n) / all);
}

function addUsd(a: string, b = '0'): string {
  const amounts = [a, b].map((usd) => parseUsd(usd) ?? ZERO_NANOS);
  return formatUsd(nanos(amounts.reduce((sum, amount) => sum + amount, 0n)));
}
