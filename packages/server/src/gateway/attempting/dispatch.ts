/** Sends an attempt's request: the credential is opened for it, and for nothing else. */
import type { SealedCredential } from '../../credentials/credential-store.ts';
import { Fault } from '../../kernel/fault.ts';
import type { ModelCall, Provider } from '../../providers/provider.ts';
import { type Exchange, type UpstreamReceiver, send } from '../../upstream/send.ts';
import type { AttemptRooms, Attempted } from './attempted.ts';
import { hideInternals } from './provider-failure.ts';

/** Throws only where nothing was sent: the credential does not open, or egress policy forbids its address. */
export function dispatch(
  rooms: AttemptRooms,
  of: Attempted & { readonly credential: SealedCredential; readonly provider: Provider },
  to: { readonly modelCall: ModelCall; readonly receiver: UpstreamReceiver },
): Exchange {
  const pool = rooms.targets.poolOf(of.credential);
  const request = of.provider.buildRequest(to.modelCall, openSecret(rooms, of, of.credential));
  return send(pool, request, to.receiver);
}

/** The answer of a provider that has no upstream, and answers by itself. */
export function answerLocally(provider: Provider, modelCall: ModelCall, receiver: UpstreamReceiver): void {
  const answer = provider.answer?.(modelCall);
  if (answer === undefined)
    throw new Fault('internal', { internal: `${provider.id} has no upstream and no answer` });
  receiver.onHead(answer.status, answer.headers);
  for (const chunk of answer.chunks) receiver.onBytes(chunk);
  receiver.onEnd();
}

/** What a provider wrote, which may repeat what it was sent, without what clients must not see. */
export function hideFrom(rooms: AttemptRooms, of: Attempted, text: string): string {
  const { credential } = of.decision.target;
  if (credential === undefined) return text;
  return hideInternals(text, { secret: openSecret(rooms, of, credential), baseUrl: credential.baseUrl });
}

function openSecret(
  { credentials, clock }: AttemptRooms,
  { usesPreviousSecret }: Attempted,
  credential: SealedCredential,
): string {
  return credentials.open(credential, usesPreviousSecret ? clock.nowMs() : undefined);
}
