/** `POST /v1/calls/{id}/corrections`: what a call has cost after all, as an invoice says it. */
import { type Nanos, formatUsd } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import type { Principal } from '../../keys/key.ts';
import type { Corrections } from '../../ledger/corrections.ts';
import { counterpartOf } from '../../ledger/packed-id.ts';
import type { CallRow, LedgerReports } from '../../ledger/reports.ts';
import { CALL_COST_MAX } from '../../pricing/cost.ts';
import { type Change, type Endpoint, defineEndpoint } from '../endpoint.ts';
import { idParams, name, usd, z } from '../schemas.ts';

export interface CorrectionRooms {
  readonly corrections: Corrections;
  readonly reports: LedgerReports;
}

const correctionView = z
  .object({
    object: z.literal('correction'),
    id: z.string(),
    corrects: z.string(),
    previous_cost_usd: z.string(),
    cost_usd: z.string(),
    /** What was added to the call's cost, or taken from it. */
    difference_usd: z.string(),
    reason: z.string(),
  })
  .openapi('Correction');

export function correctionEndpoint(rooms: CorrectionRooms): Endpoint {
  return defineEndpoint({
    method: 'post',
    path: '/v1/calls/{id}/corrections',
    permission: 'usage:write',
    tag: 'Usage',
    summary: 'Correct what a call has cost, once. Its row stays, and another says the difference.',
    params: idParams,
    body: z.strictObject({ cost_usd: usd, reason: name }),
    response: { status: 201, schema: correctionView },
    handle: ({ principal, params, body }) =>
      correct(rooms, principal, { id: params.id, cost: body.cost_usd, reason: body.reason }),
  });
}

interface Asked {
  readonly id: string;
  readonly cost: Nanos;
  readonly reason: string;
}

async function correct(
  rooms: CorrectionRooms,
  { key }: Principal,
  { id, cost, reason }: Asked,
): Promise<Change | Denial> {
  const call = await rooms.reports.findCall(key.organizationId, id);
  if (call === undefined) return new Denial('not_found', { param: 'id' });
  const refusal = await findRefusal(rooms, call, cost);
  if (refusal !== undefined) return refusal;
  const plan = await rooms.corrections.plan(call, cost);
  const costs = { previous_cost_usd: formatUsd(call.cost), cost_usd: formatUsd(cost) };
  const difference = formatUsd(plan.difference);
  return {
    isAdditive: true,
    steps: plan.steps,
    refusals: plan.steps.map(() => correctedBefore()),
    events: [
      {
        action: 'call.corrected',
        target: call.id,
        detail: { correction: plan.id, ...costs, difference_usd: difference, reason },
      },
    ],
    reply: {
      status: 201,
      body: {
        object: 'correction',
        id: plan.id,
        corrects: call.id,
        ...costs,
        difference_usd: difference,
        reason,
      },
    },
  };
}

async function findRefusal(
  { reports }: CorrectionRooms,
  call: CallRow,
  cost: Nanos,
): Promise<Denial | undefined> {
  if (call.resolution === 'correction') return refuse('id', 'is a correction itself');
  if (cost > CALL_COST_MAX) return refuse('cost_usd', `is at most ${formatUsd(CALL_COST_MAX)}`);
  if (cost === call.cost) return refuse('cost_usd', 'is what the call has cost');
  const before = await reports.findCall(
    call.organizationId as Principal['key']['organizationId'],
    counterpartOf(call.id),
  );
  return before === undefined ? undefined : correctedBefore();
}

function correctedBefore(): Denial {
  return refuse('id', 'was corrected before: a call is corrected once');
}

function refuse(param: string, problem: string): Denial {
  return new Denial('invalid_request', { param, message: `'${param}' ${problem}.` });
}
