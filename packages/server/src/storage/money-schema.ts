/** The tables of the ledger, as Kysely sees them: budgets, credit, reservations, calls and their sums. */
import type { ColumnType, Generated } from 'kysely';
import type { Integer, LaterNullableInteger, NullableInteger } from './columns.ts';

/** An id without its prefix, 16 bytes: a blob, or on PostgreSQL a `uuid`, which has no header. See `ledger/packed-id.ts`. */
type PackedId = Uint8Array | string;

/** The classes of tokens, each a column; what was not used is null in a call. */
export const TOKEN_COLUMNS = [
  'input_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'audio_output_tokens',
  'image_output_tokens',
] as const;

type TokenColumns<Type> = Readonly<Record<(typeof TOKEN_COLUMNS)[number], Type>>;

type UsageSums = {
  /** Hours, or days, since 1970, of when the calls were reserved. */
  start: Integer;
  source: Integer;
  /** Without second attempts. */
  calls: Integer;
  cost_nanos: Integer;
} & TokenColumns<NullableInteger>;

export interface MoneySchema {
  budgets: {
    id: string;
    organization_id: string;
    /** `key`, `project` or `organization`. */
    scope: string;
    scope_id: string;
    period: string;
    cap_nanos: Integer;
    created_at: Integer;
    /** UTC where it is null. */
    time_zone: ColumnType<string | null, string | null | undefined, string | null>;
    /** Another cap, and until when it holds. */
    raised_cap_nanos: LaterNullableInteger;
    raised_until: LaterNullableInteger;
    /** JSON of the percentages at which its owners want to be told. */
    alert_percents: ColumnType<string | null, string | null | undefined, string | null>;
    mac: string;
  };
  /** Of which thresholds it has been told in which period. */
  budget_alerts: { budget_id: string; period_start: Integer; percent: Integer; at: Integer };
  /** Prepaid credit: what all entries of an organization come to, and how many they are. */
  credit_accounts: {
    id: string;
    organization_id: string;
    credited_nanos: Integer;
    entries: Integer;
    opened_at: Integer;
    mac: string;
  };
  /** Never updated: one amount from one account to another. */
  credit_entries: {
    id: string;
    organization_id: string;
    number: Integer;
    kind: string;
    from_account: string;
    to_account: string;
    amount_nanos: Integer;
    currency: string;
    /** A whole number of the currency's smallest unit, as text. */
    paid: string;
    usd_per_unit_nanos: Integer;
    rate_source: string | null;
    reference: string | null;
    note: string | null;
    actor: string;
    created_at: Integer;
    mac: string;
  };
  currency_rates: {
    organization_id: string;
    currency: string;
    usd_per_unit_nanos: Integer;
    source: string;
    updated_at: Integer;
    mac: string;
  };
  /** What is posted and held on a budget in one of its periods, or on a credit account as a whole and by day. */
  balances: { budget_id: string; period_start: Integer; posted_nanos: Integer; held_nanos: Integer };
  /** Reservations that are not yet resolved. Resolving one deletes its row here and writes its row in `calls`. */
  reservations: {
    id: string;
    boot: string;
    reserved_at: Integer;
    held_nanos: Integer;
    /** JSON: what recovery needs to resolve the call without the process that made it. */
    call: string;
  };
  /**
   * Who called what, and through what, stored once for all calls that have it in common: a call refers to it by number.
   * Ids, names and `endpoint` are text. Never updated, never deleted.
   */
  call_sources: {
    no: Generated<bigint>;
    /** Of all that follows, by which a call finds its source; null of rows that are older than this table. */
    digest: string | null;
    organization_id: string;
    project_id: string;
    key_id: string;
    endpoint: string;
    provider: string;
    model: string;
    credential_id: string | null;
    /** The route that the client asked for, where it was one. */
    route: string | null;
    /** Of a child key: its calls are on its parent's budgets, too. */
    parent_id: string | null;
  };
  /**
   * The ledger's settlements, one row a call. Never updated; deleted only when they are older than they must be kept. Small,
   * since there are millions: what is usual takes no room.
   */
  calls: {
    id: PackedId;
    request_id: PackedId;
    /** The number of its row in `call_sources`. */
    source: Integer;
    key_version: Integer;
    /** From 1: a call that is retried or falls back has a row for each attempt, all with its request id. */
    attempt: Integer;
    streamed: Integer;
    /** How it ended and where its figures come from, by their numbers in `ledger/call-row.ts`. */
    resolution: Integer;
    provenance: Integer;
    status: Integer;
    error: string | null;
    /** Space-separated: what was odd about this call's usage, such as `overrun`. */
    flags: string | null;
    held_nanos: Integer;
    cost_nanos: Integer;
    reserved_at: Integer;
    /** From its reservation to its resolution. */
    duration_ms: Integer;
  } & TokenColumns<NullableInteger>;
  /** Sums over the calls of each source in each hour: derived in the commits that write the calls, and kept when they go. */
  usage_hours: UsageSums;
  /** The same by day. */
  usage_days: UsageSums;
}
