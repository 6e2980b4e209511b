/** What anybody may read: is the process alive and ready, its metrics, its API description. */
import type { ControlApp } from '../control/control-app.ts';
import { OPENAPI_PATH, describeDataPlane, renderOpenApi } from '../control/openapi.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { renderDocsPage } from './docs-page.ts';

export interface HealthRooms {
  readonly database: Database;
  readonly clock: Clock;
  readonly isStopping: () => boolean;
}

export interface OperatorRooms {
  readonly metrics: Metrics;
  readonly version: string;
}

/** A probe writes to the disk; a flood of probes must not. */
const PROBE_LIFE_MS = 1_000;

/** On every listener: whoever balances load asks here. */
export function addHealthEndpoints(app: ControlApp, rooms: HealthRooms): void {
  const probe = createProbe(rooms);
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', async (context) => {
    const problem = rooms.isStopping() ? 'stopping' : await probe();
    return problem === undefined
      ? context.json({ status: 'ready' })
      : context.json({ status: 'unavailable', problem }, 503);
  });
}

/** Beside the management API. */
export function addOperatorEndpoints(app: ControlApp, rooms: OperatorRooms): void {
  describeDataPlane(app);
  app.get('/metrics', async (context) => {
    context.header('content-type', rooms.metrics.registry.contentType);
    return context.body(await rooms.metrics.registry.metrics());
  });
  let document: object | undefined;
  const openApi = () => (document ??= renderOpenApi(app, rooms.version));
  app.get(OPENAPI_PATH, (context) => context.json(openApi()));
  app.get('/docs', (context) => {
    // The page is static and runs nothing: no script, no foreign content.
    context.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'");
    return context.html(renderDocsPage(openApi()));
  });
}

function createProbe(rooms: HealthRooms): () => Promise<string | undefined> {
  let atMs = -Infinity;
  let last: Promise<string | undefined> = Promise.resolve(undefined);
  return () => {
    if (rooms.clock.monotonicMs() - atMs < PROBE_LIFE_MS) return last;
    atMs = rooms.clock.monotonicMs();
    last = rooms.database.probe().then(
      () => undefined,
      () => 'storage',
    );
    return last;
  };
}
