/** Every endpoint of the management API, in the order in which paths are matched. */
import { type AlertRooms, alertEndpoints } from './alerts/alert-endpoints.ts';
import { type AuditRooms, auditEndpoints } from './audit/audit-endpoints.ts';
import { type BudgetRooms, budgetEndpoints } from './money/budget-endpoints.ts';
import { type CallRooms, callEndpoints } from './money/call-endpoints.ts';
import { type CatalogRooms, catalogEndpoints } from './money/catalog-endpoints.ts';
import { type CorrectionRooms, correctionEndpoint } from './money/correction-endpoint.ts';
import { type CreditRooms, creditEndpoints } from './money/credit-endpoints.ts';
import { creditStatementEndpoint } from './money/credit-statement.ts';
import { type CredentialRooms, credentialEndpoints } from './credentials/credential-endpoints.ts';
import { type ChildRooms, childEndpoint } from './keys/child-endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { type KeyRooms, keyEndpoints } from './keys/key-endpoints.ts';
import { type LeakEndpointRooms, leakEndpoint } from './leaks/leak-endpoint.ts';
import { type ProjectRooms, projectEndpoints } from './project-endpoints.ts';
import { type ResumeRooms, resumeEndpoint } from './keys/resume-endpoint.ts';
import { type RotationRooms, rotationEndpoints, selfRotationEndpoint } from './keys/rotation-endpoints.ts';
import { type SelfRooms, selfEndpoints } from './keys/self-endpoints.ts';
import { type RouteRooms, routeEndpoints } from './routes/route-endpoints.ts';
import { type UsageRooms, usageEndpoint } from './money/usage-endpoint.ts';
import { type VerifyRooms, verifyEndpoint } from './keys/verify-endpoint.ts';

/** What any key may ask of itself. */
export type OwnRooms = SelfRooms & RotationRooms & ChildRooms;

export type EndpointRooms = OwnRooms &
  VerifyRooms &
  KeyRooms &
  ProjectRooms &
  BudgetRooms &
  CreditRooms &
  CredentialRooms &
  RouteRooms &
  CatalogRooms &
  UsageRooms &
  CallRooms &
  CorrectionRooms &
  LeakEndpointRooms &
  ResumeRooms &
  AuditRooms &
  AlertRooms;

/** Served beside the model calls, wherever the management API listens: clients of `/v1` expect them there. */
export function ownEndpoints(rooms: OwnRooms): readonly Endpoint[] {
  return [...selfEndpoints(rooms), selfRotationEndpoint(rooms), childEndpoint(rooms)];
}

export function controlEndpoints(rooms: EndpointRooms): readonly Endpoint[] {
  return [
    // What a key asks about itself has fixed paths, which must come before `/v1/keys/{id}`.
    ...ownEndpoints(rooms),
    verifyEndpoint(rooms),
    ...keyEndpoints(rooms),
    ...rotationEndpoints(rooms),
    resumeEndpoint(rooms),
    leakEndpoint(rooms),
    ...projectEndpoints(rooms),
    ...budgetEndpoints(rooms),
    ...creditEndpoints(rooms),
    creditStatementEndpoint(rooms),
    ...credentialEndpoints(rooms),
    ...routeEndpoints(rooms),
    ...catalogEndpoints(rooms),
    usageEndpoint(rooms),
    ...callEndpoints(rooms),
    correctionEndpoint(rooms),
    ...auditEndpoints(rooms),
    ...alertEndpoints(rooms),
  ];
}
