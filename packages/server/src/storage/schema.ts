/** The tables, as Kysely sees them. Ids are text, times integer milliseconds, money integer nano-dollars; JSON is text. */
import type { ColumnType, Generated } from 'kysely';
import type { AlertSchema } from './alert-schema.ts';
import type { Integer, LaterInteger, NullableInteger } from './columns.ts';
import type { MoneySchema } from './money-schema.ts';

export interface Schema extends MoneySchema, AlertSchema {
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
    /** JSON of how much its calls hold; none: the most that they can cost. */
    estimate: string | null;
    clamp_output: NullableInteger;
    /** JSON of what an alert rule has done to it. */
    breaker: string | null;
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
  /** Model calls of the last 24 hours that carried an Idempotency-Key. */
  idempotent_calls: {
    key_id: string;
    idempotency_key: string;
    organization_id: string;
    fingerprint: string;
    /** Of the newest attempt: while this reservation is there, the call is under way. */
    reservation_id: string;
    /** `open`: no answer yet, or none that is kept; `kept`; `lost`: answered, and the answer was not kept. */
    state: string;
    /** Of the kept answer. */
    bytes: Integer;
    created_at: Integer;
    /** Sealed. */
    answer: string | null;
  };
  /** `head` is 32 bytes. On SQLite, which has one node, the sequence alone is the key. */
  audit_records: { node: Integer; sequence: Integer; at: Integer; record: string; head: Uint8Array };
  /** Signed notes of what a node's chain had come to. `head` in base64, as in the note. */
  audit_checkpoints: { node: Integer; size: Integer; at: Integer; head: string; note: string };
  /** Size of the newest checkpoint of a node that a sink has, and when it got it. */
  audit_sink_positions: { sink: string; node: Integer; size: Integer; at: Integer };
  /** What was taken out of `audit_records`, and which file has it; `head` is that after the last, base64url. */
  audit_archives: {
    node: Integer;
    first: Integer;
    last: Integer;
    head: string;
    sha256: string;
    file: string;
    at: Integer;
    mac: string;
  };
  /** While one is not released, nothing is archived. */
  audit_holds: {
    id: string;
    organization_id: string;
    reason: string;
    created_by: string;
    created_at: Integer;
    released_by: string | null;
    released_at: NullableInteger;
    mac: string;
  };
}
