/** What a reservation's row says of its call, as short as can be: every call writes it, and only a crash reads it. */
import { type Nanos, nanos } from '@keyfold/protocol';
import type { Hold } from './hold.ts';
import type { CallFacts, Reservation } from './reservation.ts';

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
    (string | null)?,
  ],
  holds: readonly (readonly [string, number])[],
  /** Of a call that holds less than it can cost. */
  estimate?: string,
];

export function renderStoredCall({ call, holds, held, estimate }: Reservation): string {
  const facts: StoredCall[0] = [
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
    call.parentId ?? null,
  ];
  const on = holds.map((hold) => [hold.budgetId, hold.periodStartMs] as const);
  const stored: StoredCall = estimate === held ? [facts, on] : [facts, on, String(estimate)];
  return JSON.stringify(stored);
}

/** Reads what `renderStoredCall` wrote. */
export function parseStoredCall(text: string, held: Nanos): Pick<Reservation, 'call' | 'holds' | 'estimate'> {
  const [facts, holds, estimate] = JSON.parse(text) as StoredCall;
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
    parentId = null,
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
      parentId: parentId ?? undefined,
    },
    holds: holds.map(([budgetId, periodStartMs]) => ({
      budgetId: budgetId as Hold['budgetId'],
      periodStartMs,
    })),
    estimate: estimate === undefined ? held : nanos(BigInt(estimate)),
  };
}
