/**
 * The management API's JSON, as it is on the wire: snake_case, times in RFC 3339, money as decimal text of US dollars.
 * Nothing is renamed or converted on the way, so that the API's documentation, its OpenAPI description and what `curl`
 * shows hold for the SDK as they are. Unknown fields of newer servers come through.
 */
import type { KeyKind, Permission, SigningAlgorithm, SigningVersion } from '@keyfold/protocol';

/** Decimal dollars. Text is exact; a number is read by its shortest decimal text. Answers always hold text. */
export type Usd = string | number;

export interface Page<Item> {
  readonly object: 'list';
  readonly data: readonly Item[];
  readonly has_more: boolean;
  readonly first_id: string | null;
  readonly last_id: string | null;
}

export interface PageQuery {
  /** 1 to 100; 20 unless given. */
  readonly limit?: number;
  readonly after?: string;
  readonly before?: string;
}

export interface KeyLimits {
  readonly requests_per_minute: number | null;
  readonly tokens_per_minute: number | null;
  readonly concurrent_requests: number | null;
}

/** A cap on money, and how much of it is left. */
export interface Budget {
  readonly id: string;
  readonly scope: 'key' | 'project' | 'organization';
  readonly scope_id: string;
  readonly period: 'day' | 'month' | 'total';
  readonly cap_usd: string;
  readonly posted_usd: string;
  readonly held_usd: string;
  readonly remaining_usd: string;
  readonly resets_at: string | null;
}

export interface KeyVersion {
  readonly id: string;
  readonly version: number;
  /** Prefix, first and last four characters: enough to tell keys apart. */
  readonly display: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  /** Requests that it has authenticated. */
  readonly uses: number;
  readonly last_used_at: string | null;
  /** Of the rotation that made it; signing secrets do not say. */
  readonly rotation_id?: string | null;
}

/** What a key must sign with; its secrets are shown as far as is safe. */
export interface KeySigning {
  readonly required: boolean;
  readonly versions: readonly SigningVersion[];
  readonly algorithm: SigningAlgorithm;
  /** Newest first. */
  readonly secrets: readonly KeyVersion[];
}

export interface SigningBody {
  /** True unless given. */
  readonly required?: boolean;
  readonly versions?: readonly SigningVersion[];
  readonly algorithm?: SigningAlgorithm;
  /** The 32 bytes of an Ed25519 key in base64, for the algorithm `ed25519`. */
  readonly public_key?: string;
}

export interface KeyBreaker {
  readonly state: 'suspended' | 'throttled';
  readonly rule_id: string;
  readonly since: string;
  /** Of a throttled key. */
  readonly requests_per_minute: number | null;
}

/** Everything about a key but its secret. */
export interface Key {
  readonly object: 'key';
  readonly id: string;
  readonly name: string | null;
  readonly kind: KeyKind;
  readonly project_id: string;
  /** An admin key's may be `*`. */
  readonly permissions: readonly (Permission | '*')[];
  readonly models: readonly string[] | null;
  readonly networks: readonly string[] | null;
  readonly limits: KeyLimits;
  readonly budgets: readonly Budget[];
  readonly not_before: string | null;
  readonly expires_at: string | null;
  /** Set while the key is held because it was reported as leaked. */
  readonly quarantined_at: string | null;
  /** What an alert rule has done to the key, until somebody resumes it. */
  readonly breaker: KeyBreaker | null;
  readonly revoked_at: string | null;
  /** Of a short-lived key, the key that made it. */
  readonly parent_id: string | null;
  /** A key that nobody uses: whoever does has found it where it was laid out. */
  readonly canary: boolean;
  readonly estimate: EstimatePolicy;
  /** Calls that a budget has no room for are answered shorter where that fits. */
  readonly clamp_output: boolean;
  readonly signing: KeySigning | null;
  readonly auto_rotate: boolean;
  /** Seconds. */
  readonly rotation_interval: number;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly created_at: string;
  /** Newest first. */
  readonly versions: readonly KeyVersion[];
}

/** A key and, this once, its secrets. */
export interface CreatedKey extends Key {
  readonly api_key: string;
  /** Where signing with a shared secret was asked for. */
  readonly signing_secret?: string;
}

/** How much of its budgets a key's call holds while it runs. */
export type EstimatePolicy =
  | { readonly policy: 'worst_case' }
  /** A multiple (1 to 100) of what such calls have cost so far, and no less than a floor. */
  | { readonly policy: 'measured'; readonly multiple: number; readonly floor_usd?: Usd };

/** What may be said of a key; `null` removes. */
export interface KeyChanges {
  readonly name?: string | null;
  /** Requests per minute; the same as `limits.requests_per_minute`. */
  readonly rate_limit?: number;
  readonly limits?: Partial<KeyLimits>;
  readonly budgets?: {
    readonly per_day_usd?: Usd | null;
    readonly per_month_usd?: Usd | null;
    readonly total_usd?: Usd | null;
  };
  /** Names, or prefixes that end in `*`. */
  readonly models?: readonly string[] | null;
  /** CIDRs. */
  readonly networks?: readonly string[] | null;
  readonly not_before?: string | null;
  readonly expires_at?: string | null;
  readonly signing?: SigningBody | null;
  readonly estimate?: EstimatePolicy;
  readonly clamp_output?: boolean;
  readonly auto_rotate?: boolean;
  /** Seconds. */
  readonly rotation_interval?: number;
  readonly metadata?: Readonly<Record<string, string>> | null;
}

export interface UpdateKeyBody extends KeyChanges {
  readonly permissions?: readonly (Permission | '*')[];
  /** False lets a key go on that was held because it was reported as leaked. */
  readonly quarantined?: boolean;
}

export interface CreateKeyBody extends KeyChanges {
  readonly permissions: readonly (Permission | '*')[];
  readonly project_id?: string;
  readonly kind?: KeyKind;
  readonly canary?: boolean;
}

/** A short-lived key below the one that asks for it, which may do no more than that one may. */
export interface CreateChildBody extends Pick<
  KeyChanges,
  'name' | 'models' | 'networks' | 'limits' | 'budgets' | 'metadata'
> {
  /** An hour unless given, at most a day, and no longer than the parent lives. */
  readonly ttl_seconds?: number;
  /** The parent's unless given. */
  readonly permissions?: readonly (Permission | '*')[];
  /** Where the parent must sign with ed25519. */
  readonly public_key?: string;
}

export interface ListKeysQuery extends PageQuery {
  readonly project_id?: string;
  readonly kind?: KeyKind;
}

export interface RotateBody {
  /** How long the replaced version goes on working; 300 unless given. */
  readonly grace_seconds?: number;
}

export interface RotatedKey {
  readonly new_api_key: string;
  /** Unchanged by rotation. */
  readonly key_id: string;
  readonly version: number;
  readonly previous_expires_at: string;
  readonly expires_at: string | null;
  readonly rotation_id: string;
}

export interface RotateSigningSecretBody extends RotateBody {
  /** For keys that sign with ed25519. */
  readonly public_key?: string;
}

export interface RotatedSigningSecret {
  /** Absent where the key signs with ed25519: its private key never leaves the client. */
  readonly signing_secret?: string;
  readonly key_id: string;
  readonly version: number;
  readonly expires_at: string | null;
  readonly previous_expires_at: string;
  readonly rotation_id: string;
}

/** What `/v1/keys/validate` says of the key that asks. */
export interface ValidKey {
  readonly valid: true;
  /** Calls that could start now; 0 when a budget is exhausted. */
  readonly remaining_quota: number;
  readonly key_id: string;
  readonly permissions: readonly (Permission | '*')[];
  readonly limits: KeyLimits;
  readonly budgets: readonly Budget[];
  readonly version: number;
  /** When this version was made; absent in the answers of older gateways. */
  readonly issued_at?: string;
  /** When this version or the whole key ends, whichever is first. */
  readonly expires_at: string | null;
  readonly auto_rotate: boolean;
}

export interface InvalidKey {
  readonly valid: false;
  readonly error: { readonly code: string; readonly message: string };
}

export type Validation = ValidKey | InvalidKey;

export interface VerifyBody {
  readonly key: string;
  readonly permission?: Permission;
  /** What the caller's own work would cost, held against the key's budgets. Nothing is consumed. */
  readonly cost?: Usd;
}

export type Verification =
  | {
      readonly valid: true;
      readonly key_id: string;
      readonly kind: KeyKind;
      readonly project_id: string;
      readonly permissions: readonly (Permission | '*')[];
      readonly remaining_quota: number;
      readonly expires_at: string | null;
    }
  | (InvalidKey & { readonly code: string; readonly key_id?: string });

export interface ReportLeakBody {
  /** What was found. */
  readonly secret: string;
  /** Where. */
  readonly url?: string;
  readonly note?: string;
}

export interface Leak {
  readonly object: 'leak';
  readonly key_id: string;
  readonly kind: 'key' | 'signing_secret';
  readonly version: number;
  /** What was done about it at once. */
  readonly action: 'quarantined' | 'rotated' | 'revoked' | 'none';
}
