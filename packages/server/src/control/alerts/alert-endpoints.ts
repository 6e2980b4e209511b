/** The endpoints of alerts: rules, what they have found, and who is told. */
import type { Endpoint } from '../endpoint.ts';
import { type FiringRooms, firingEndpoints } from './firing-endpoints.ts';
import { type RuleRooms, ruleEndpoints } from './rule-endpoints.ts';
import { type WebhookRooms, webhookEndpoints } from './webhook-endpoints.ts';

export type AlertRooms = RuleRooms & FiringRooms & WebhookRooms;

export function alertEndpoints(rooms: AlertRooms): readonly Endpoint[] {
  return [...ruleEndpoints(rooms), ...firingEndpoints(rooms), ...webhookEndpoints(rooms)];
}
