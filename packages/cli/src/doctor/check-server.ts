/** Checks a running server from outside: that it answers, is ready, has this machine's time, and knows prices. */
import type { ControlClient } from '../remote/control-client.ts';
import { explainFailure } from '../remote/explain-failure.ts';
import { CommandFailure } from '../exit-code.ts';
import { isJsonObject, objectsOf, textOf } from '../remote/json.ts';
import { type Finding, failed, ok, reasonOf, skipped } from './finding.ts';

/** What signatures tolerate ahead of time. */
const CLOCK_TOLERANCE_MS = 60_000;
/** A clock before it has lost its battery: Keyfold is younger. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);

export interface ServerState {
  readonly finding: Finding;
  readonly isUp: boolean;
  /** The server's time by its `Date` header. */
  readonly dateMs: number | undefined;
}

export async function checkServer(client: ControlClient): Promise<ServerState> {
  const name = 'server';
  try {
    const { response, text } = await client.exchange({ method: 'GET', path: '/readyz' });
    const dateMs = Date.parse(response.headers.get('date') ?? '');
    const state = { isUp: true, dateMs: Number.isNaN(dateMs) ? undefined : dateMs };
    if (response.ok) return { ...state, finding: ok(name, `${client.url.origin} is ready`) };
    const advice =
      response.status === 404
        ? 'Check KEYFOLD_URL: what answers there is not Keyfold.'
        : "Look into the server's log for what it waits for.";
    const detail = readDetail(text) ?? `answered ${response.status}`;
    return { ...state, finding: failed(name, `${client.url.origin} is not ready: ${detail}`, advice) };
  } catch (error) {
    return { finding: describe(name, error), isUp: false, dateMs: undefined };
  }
}

/** `dateMs` is the server's time, where one answered. */
export function checkClock(dateMs: number | undefined, nowMs: number): Finding {
  const name = 'clock';
  const advice = 'Set the clock, and let a time service (chrony, systemd-timesyncd) keep it.';
  if (nowMs < EARLIEST_MS) {
    return failed(name, `this machine believes it is ${new Date(nowMs).toISOString()}`, advice);
  }
  if (dateMs === undefined) return ok(name, `${new Date(nowMs).toISOString()}, not compared with a server`);
  const differenceMs = Math.abs(dateMs - nowMs);
  if (differenceMs > CLOCK_TOLERANCE_MS) {
    return failed(
      name,
      `this machine and the server are ${Math.round(differenceMs / 1_000)} s apart`,
      advice,
    );
  }
  return ok(name, 'this machine and the server agree');
}

export async function checkPrices(client: ControlClient, isServerUp: boolean): Promise<Finding> {
  const name = 'prices';
  if (!isServerUp) return skipped(name, 'the server does not answer');
  if (!client.hasKey)
    return skipped(name, 'there is no admin key to ask with', 'Set KEYFOLD_ADMIN_KEY to check them too.');
  try {
    const answer = await client.send({ method: 'GET', path: '/v1/catalog/models', query: { limit: '1' } });
    if (objectsOf(answer['data']).length > 0) return ok(name, 'the catalog has prices');
    return failed(
      name,
      'the catalog is empty: keys with a budget are refused',
      'Run keyfold models import FILE.',
    );
  } catch (error) {
    return describe(name, error);
  }
}

function describe(name: string, error: unknown): Finding {
  const explained = explainFailure(error);
  if (!(explained instanceof CommandFailure))
    return failed(name, reasonOf(error), "Look into the server's log.");
  return failed(name, explained.message, explained.detail.advice ?? '');
}

function readDetail(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return isJsonObject(answer) ? (textOf(answer['problem']) ?? textOf(answer['detail'])) : undefined;
  } catch {
    return undefined;
  }
}
