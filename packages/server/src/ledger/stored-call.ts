/** What a reservation's row says of its call, as short as can be: every call writes it, and only a crash reads it. */
import type { CallFacts, Hold, Reservation } from './reservation.ts';

type StoredCall = readonly [
  facts: readonly [
    string,
    string,
    string,
    number,
    string,
    string,
    string,
    string,
    string | null,
    0 | 1,
    // Those of an older Keyfold end here.
    number?,
    (string | null)?,
  ],
  holds: readonly (readonly [string, number])[],
];

export function renderStoredCall({ call, holds }: Reservation): string {
  const stored: StoredCall = [
    [
      call.organizationId,
      call.projectId,
      call.keyId,
      call.keyVersion,
      call.requestId,
      call.endpoint,
      call.provider,
      call.model,
      call.credentialId ?? null,
      call.streamed ? 1 : 0,
      call.attempt,
      call.route ?? null,
    ],
    holds.map((hold) => [hold.budgetId, hold.periodStartMs]),
  ];
  return JSON.stringify(stored);
}

/** Reads what `renderStoredCall` wrote. */
export function parseStoredCall(text: string): { readonly call: CallFacts; readonly holds: readonly Hold[] } {
  const [facts, holds] = JSON.parse(text) as StoredCall;
  const [
    organizationId,
    projectId,
    keyId,
    keyVersion,
    requestId,
    endpoint,
    provider,
    model,
    credentialId,
    streamed,
    attempt = 1,
    route = null,
  ] = facts;
  return {
    call: {
      organizationId: organizationId as CallFacts['organizationId'],
      projectId: projectId as CallFacts['projectId'],
      keyId: keyId as CallFacts['keyId'],
      keyVersion,
      requestId,
      endpoint,
      provider,
      model,
      credentialId: credentialId ?? undefined,
      streamed: streamed === 1,
      attempt,
      route: route ?? undefined,
    },
    holds: holds.map(([budgetId, periodStartMs]) => ({
      budgetId: budgetId as Hold['budgetId'],
      periodStartMs,
    })),
  };
}
