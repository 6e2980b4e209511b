/** Every endpoint of the management API, in the order in which paths are matched. */
import { type AuditRooms, auditEndpoint } from './audit-endpoint.ts';
import { type BudgetRooms, budgetEndpoints } from './budget-endpoints.ts';
import { type CallRooms, callEndpoints } from './call-endpoints.ts';
import { type CatalogRooms, catalogEndpoints } from './catalog-endpoints.ts';
import { type CredentialRooms, credentialEndpoints } from './credential-endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { type KeyRooms, keyEndpoints } from './key-endpoints.ts';
import { type ProjectRooms, projectEndpoints } from './project-endpoints.ts';
import { type SelfRooms, selfEndpoints } from './self-endpoints.ts';
import { type UsageRooms, usageEndpoint } from './usage-endpoint.ts';
import { type VerifyRooms, verifyEndpoint } from './verify-endpoint.ts';

export type EndpointRooms = SelfRooms &
  VerifyRooms &
  KeyRooms &
  ProjectRooms &
  BudgetRooms &
  CredentialRooms &
  CatalogRooms &
  UsageRooms &
  CallRooms &
  AuditRooms;

/** Served beside the model calls, wherever the management API listens: clients of `/v1` expect them there. */
export { selfEndpoints };

export function controlEndpoints(rooms: EndpointRooms): readonly Endpoint[] {
  return [
    // What a key asks about itself has fixed paths, which must come before `/v1/keys/{id}`.
    ...selfEndpoints(rooms),
    verifyEndpoint(rooms),
    ...keyEndpoints(rooms),
    ...projectEndpoints(rooms),
    ...budgetEndpoints(rooms),
    ...credentialEndpoints(rooms),
    ...catalogEndpoints(rooms),
    usageEndpoint(rooms),
    ...callEndpoints(rooms),
    auditEndpoint(rooms),
  ];
}
