/** The tables of alerts, as Kysely sees them: rules, what they found, and what is delivered to whom. */
import type { Integer, NullableInteger } from './columns.ts';

export interface AlertSchema {
  /** `scope_ids`, `condition`, `webhook_ids` and `action` are JSON. */
  alert_rules: {
    id: string;
    organization_id: string;
    name: string;
    scope: string;
    scope_ids: string;
    condition: string;
    webhook_ids: string;
    action: string;
    cooldown_s: Integer;
    enabled: Integer;
    created_at: Integer;
    updated_at: Integer;
    mac: string;
  };
  /** `number` counts the firings of a rule about one subject: of two processes that find the same, one can insert it. */
  alert_firings: {
    id: string;
    organization_id: string;
    rule_id: string;
    subject: string;
    number: Integer;
    /** The time of the record that it was found in. */
    at: Integer;
    /** When its key was resumed: the pause after it has ended. */
    cleared_at: NullableInteger;
    detail: string;
  };
  /** Models and networks that keys were seen with. */
  alert_sightings: { key_id: string; kind: string; value: string; at: Integer };
  /** Since when a key's sightings are kept, and how many of its calls taught them. */
  alert_lessons: { key_id: string; kind: string; since: Integer; calls: Integer };
  /** Up to where each node's records were judged, and what was found in them is stored. */
  alert_positions: { node: Integer; sequence: Integer };
  webhooks: {
    id: string;
    organization_id: string;
    name: string;
    url: string;
    sealed: string;
    previous_sealed: string | null;
    previous_until: NullableInteger;
    disabled_at: NullableInteger;
    created_at: Integer;
    updated_at: Integer;
    mac: string;
  };
  /** `state`: `pending`, `delivered` or `failed`. While it is leased a process is sending it. */
  webhook_deliveries: {
    id: string;
    organization_id: string;
    webhook_id: string;
    firing_id: string;
    body: string;
    state: string;
    attempts: Integer;
    next_at: Integer;
    leased_until: Integer;
    last_status: NullableInteger;
    last_error: string | null;
    created_at: Integer;
    ended_at: NullableInteger;
  };
}
