/** The tables, as Kysely sees them. Ids are text, times integer milliseconds, money integer nano-dollars; JSON is text. */
import type { ColumnType, Generated } from 'kysely';

/** Read as `bigint` from both databases, so that money never passes through a float. */
type Integer = ColumnType<bigint, bigint | number, bigint | number>;
/** Of a column that came later: a row that does not say has its default. */
type LaterInteger = ColumnType<bigint, bigint | number | undefined, bigint | number>;
type LaterNullableInteger = ColumnType<
  bigint | null,
  bigint | number | null | undefined,
  bigint | number | null
>;
type NullableInteger = ColumnType<bigint | null, bigint | number | null, bigint | number | null>;

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

export interface Schema {
  /** Facts about this installation: schema version, root key check. */
  facts: { name: string; value: string };
  /** `revision` grows with every change in the organization: a reservation decided under an older one is refused. */
  organizations: {
    id: string;
    name: string;
    created_at: Integer;
    revision: Integer;
    /** What happens to a key that is reported as leaked: `quarantine`, `rotate` or `revoke`. */
    leak_policy: ColumnType<string, string | undefined, string>;
  };
  projects: { id: string; organization_id: string; name: string; created_at: Integer };
  keys: {
    id: string;
    organization_id: string;
    project_id: string;
    kind: string;
    name: string | null;
    permissions: string;
    models: string | null;
    networks: string | null;
    requests_per_minute: NullableInteger;
    tokens_per_minute: NullableInteger;
    concurrent_requests: NullableInteger;
    not_before: NullableInteger;
    expires_at: NullableInteger;
    revoked_at: NullableInteger;
    quarantined_at: NullableInteger;
    /** JSON of the signing policy. */
    signing: string | null;
    /** The key whose version made this child. */
    parent_id: string | null;
    parent_version: NullableInteger;
    canary: Integer;
    auto_rotate: Integer;
    rotation_interval_s: Integer;
    metadata: string | null;
    created_at: Integer;
    /** Grows with every change of the key: two changes that meet do not overwrite each other. */
    revision: Integer;
    mac: string;
  };
  key_versions: {
    id: string;
    key_id: string;
    version: Integer;
    /** HMAC of the key under the pepper, base64url. Unique. */
    hash: string;
    pepper_version: Integer;
    display: string;
    created_at: Integer;
    expires_at: NullableInteger;
    rotation_id: string | null;
    /** When its owner was told that it is about to end unrenewed. */
    alerted_at: NullableInteger;
    mac: string;
  };
  /** How often a version authenticated a request, counted apart from its row, which seldom changes. */
  version_uses: { version_id: string; uses: Integer; last_used_at: Integer };
  /** What a key's requests are signed with. Like a key, it has versions. */
  signing_secrets: {
    id: string;
    key_id: string;
    version: Integer;
    algorithm: string;
    /** HMAC of the secret under the pepper, base64url, by which a leaked one is found; absent for a public key. */
    hash: string | null;
    /** The sealed secret, or the public key as base64url. */
    material: string;
    display: string;
    created_at: Integer;
    expires_at: NullableInteger;
    mac: string;
  };
  /** Values that were used up, such as nonces of signed requests, in the order in which they came. */
  claims: { id: Generated<bigint>; value: string };
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
  /** What is posted and held on a budget in one of its periods. */
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
  credentials: {
    id: string;
    organization_id: string;
    provider: string;
    name: string;
    base_url: string;
    allow_networks: string;
    models: string | null;
    weight: LaterInteger;
    /** JSON of its limits; none where it is null. */
    limits: string | null;
    stream_policy: Generated<string>;
    version: Integer;
    sealed: string;
    /** The secret before the last rotation, and until when it may still be used. */
    previous_sealed: string | null;
    previous_until: NullableInteger;
    created_at: Integer;
    updated_at: Integer;
  };
  /** Public model names; `targets` and `retry` are JSON. */
  routes: {
    id: string;
    organization_id: string;
    name: string;
    targets: string;
    retry: string;
    created_at: Integer;
    updated_at: Integer;
    mac: string;
  };
  /** Prices set by API; the newest `effective_from` that has come is in force. */
  prices: {
    organization_id: string;
    provider: string;
    model: string;
    effective_from: Integer;
    price: string;
    created_at: Integer;
  };
  /** First answers to control-plane POSTs that carried an Idempotency-Key, sealed since they may hold a new key. */
  idempotency: {
    key_id: string;
    idempotency_key: string;
    request_hash: string;
    status: Integer;
    response: string;
    created_at: Integer;
  };
  /** `head` is 32 bytes. On SQLite, which has one node, the sequence alone is the key. */
  audit_records: { node: Integer; sequence: Integer; at: Integer; record: string; head: Uint8Array };
}
