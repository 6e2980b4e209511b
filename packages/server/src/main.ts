/** The composition root: the only file that knows every room. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { serveJudge } from './alerts/judging/judge-desk.ts';
import type { Finding } from './alerts/rule.ts';
import type { Config, Endpoint as ListenAddress } from './config/index.ts';
import { AuditThreadPort } from './audit/following/audit-thread-port.ts';
import { ChangeApplier } from './control/apply-change.ts';
import { type ControlApp, createControlApp } from './control/control-app.ts';
import type { Endpoint } from './control/endpoint.ts';
import { controlEndpoints, ownEndpoints } from './control/endpoints.ts';
import { addPartnerLeaks } from './control/leaks/partner-leaks.ts';
import { prepareFirstStart, recoverAdminKey } from './first-start.ts';
import { handleCall } from './gateway/handle-call.ts';
import { Targets } from './routing/targets.ts';
import { fireAlert } from './jobs/fire-alert.ts';
import { createReadAddress } from './http/client-address.ts';
import { type ControlRequest, type ListenerParts, createListener } from './http/listener.ts';
import type { Denial } from './kernel/denial.ts';
import { Fault } from './kernel/fault.ts';
import { addHealthEndpoints, addOperatorEndpoints } from './http/public-endpoints.ts';
import { renderWelcome } from './http/welcome.ts';
import { readPartnerKeys } from './signing/partner-keys.ts';
import { Recovery } from './ledger/recover.ts';
import { type House, databasePlace, openHouse } from './house.ts';
import { listen, urlHost } from './http/listen.ts';
import { reportUnresolved, startTimedWork } from './timed-work.ts';
export * from './config/index.ts';

export const VERSION = '0.1.0';

export interface Output {
  write(text: string): void;
}

export interface RunningKeyfold {
  /** Where the data plane listens. */
  readonly url: string;
  readonly controlUrl: string;
  /** Takes no more calls, lets running ones end within `stopTimeoutMs`, settles everything, and closes. */
  stop(): Promise<void>;
}

/** How long streams that are being stopped have to tell their clients so. */
const CUT_OFF_MS = 1_000;
/** Starts everything and listens. Throws with one clear sentence when it cannot. */
export async function startKeyfold(config: Config, output: Output): Promise<RunningKeyfold> {
  const house = await openHouse(config);
  try {
    return await runHouse(config, house, output);
  } catch (error) {
    await house.core.database.close();
    throw error;
  }
}

async function runHouse(config: Config, house: House, output: Output): Promise<RunningKeyfold> {
  const { core, log, pools, running } = house;
  const recovery = new Recovery(core);
  await reportUnresolved(house, recovery.recoverAtStart());
  const first = await prepareFirstStart({ ...core, ...config });
  const auditThread = openAuditThread(config, house);
  const listeners = createListeners(config, house, auditThread);
  const ports = await Promise.all(listeners.map(({ server, address }) => listen(server, address)));
  await core.audit.record({
    action: 'process.started',
    actor: 'system',
    target: 'process',
    decision: 'allowed',
    detail: { version: VERSION },
  });
  const work = startTimedWork(house, recovery, config);
  if (!(await core.alertRules.isEmpty())) auditThread.start();
  const scheme = config.tls === undefined ? 'http' : 'https';
  const url = `${scheme}://${urlHost(config.listen)}:${ports[0]}`;
  const controlUrl =
    config.controlListen === undefined ? url : `${scheme}://${urlHost(config.controlListen)}:${ports[1]}`;
  output.write(renderWelcome({ url, controlUrl, first, adminKeyFile: config.adminKeyFile }));
  log.info({ url, node: core.database.node, dialect: core.database.dialect }, 'listening');
  return {
    url,
    controlUrl,
    stop: async () => {
      // From here on `/readyz` says so and new calls are refused, while those that run may end.
      house.isStopping = true;
      core.checkpointer.halt();
      await waitForCalls(running, config.stopTimeoutMs);
      for (const { server } of listeners) server.close();
      // Providers are told to stop: streams end with an error event, and their calls are settled at their holds.
      await pools.destroy();
      await waitForCalls(running, CUT_OFF_MS);
      // Who is still sending a body, or does not read, is cut off.
      for (const { server } of listeners) server.closeAllConnections();
      await Promise.all(running);
      core.counter.close();
      await work.stop();
      await auditThread.close();
      try {
        while (core.ledger.postponed > 0) await core.ledger.retryPostponed();
        await core.refusals.flush();
        await core.uses.flush();
        await core.audit.record({
          action: 'process.stopped',
          actor: 'system',
          target: 'process',
          decision: 'allowed',
        });
        await core.checkpointer.finish();
      } finally {
        await work.stopSinks();
        await core.database.close();
      }
      log.info('stopped');
    },
  };
}

export interface InitOptions {
  /** Makes an admin key for an installation that is there already. */
  readonly recoversAdminKey?: boolean;
}

/** `keyfold init`: everything that a first start makes, without listening. */
export async function initKeyfold(
  config: Config,
  output: Output,
  { recoversAdminKey = false }: InitOptions = {},
): Promise<void> {
  const { core } = await openHouse(config);
  const prepare = recoversAdminKey ? recoverAdminKey : prepareFirstStart;
  const first = await prepare({ ...core, ...config }).catch(async (error: unknown) => {
    await core.database.close();
    throw error;
  });
  output.write(
    renderWelcome({ url: undefined, controlUrl: undefined, first, adminKeyFile: config.adminKeyFile }),
  );
  await core.database.close();
}

function openAuditThread(config: Config, { core, telemetry }: House): AuditThreadPort {
  const file = import.meta.url.endsWith('.ts') ? './audit-thread.ts' : './audit-thread.js';
  const onFailure = (error: unknown) => telemetry.jobFailed('follow the audit log', error);
  const fire = (finding: Finding) => fireAlert({ ...core, telemetry }, finding);
  const auditThread = new AuditThreadPort({
    settings: { place: databasePlace(config) },
    entry: new URL(file, import.meta.url),
    onStart: (judging) => serveJudge(judging, { ...core, fire, onEdited: onFailure }),
    onFailure,
  });
  core.alertRules.onForgotten(() => auditThread.start());
  return auditThread;
}

function createListeners(
  config: Config,
  house: House,
  auditThread: AuditThreadPort,
): { server: Server; address: ListenAddress }[] {
  const { core, telemetry, metrics, pools, sealer, running } = house;
  const applier = new ChangeApplier({ ...core, sealer, onChange: () => core.authenticator.forget() });
  const appOf = (endpoints: readonly Endpoint[], first?: (app: ControlApp) => void) => {
    const app = createControlApp({ ...core, applier, telemetry }, endpoints, first);
    addHealthEndpoints(app, { ...core, isStopping: () => house.isStopping });
    return app;
  };
  const partnerKeys = readPartnerKeys(config.leakPartnerKeysFile);
  const targets = new Targets({ pools, health: core.health });
  const controlApp = appOf(controlEndpoints({ ...core, auditThread, pools, targets, telemetry }), (app) =>
    addPartnerLeaks(app, { ...core, partnerKeys, telemetry }),
  );
  addOperatorEndpoints(controlApp, { metrics, version: VERSION });
  const serve = (app: ControlApp) => async (request: ControlRequest) =>
    app.fetch(
      new Request(request.url, { method: request.method, headers: request.headers }),
      request.bindings,
    );

  const gateway = { ...core, telemetry, targets };
  const shared = {
    newId: core.newId,
    readAddress: createReadAddress(config.trustedProxies),
    bodyBytesMax: config.bodyBytesMax,
    onRefused: (denial: Denial, address: string) => {
      telemetry.refused(denial);
      core.refusals.count(denial, { address });
    },
  };
  const serveCall: ListenerParts['serveCall'] = (path, exchange) => {
    if (house.isStopping) {
      exchange.refuse(new Fault('unavailable', { internal: 'stopping', public: 'Keyfold is stopping.' }), {});
      return Promise.resolve();
    }
    const call = handleCall(gateway, path, exchange);
    running.add(call);
    return call.finally(() => running.delete(call));
  };
  const tls =
    config.tls === undefined
      ? undefined
      : { cert: readFileSync(config.tls.certFile), key: readFileSync(config.tls.keyFile) };
  const control = { ...shared, serveControl: serve(controlApp) };
  if (config.controlListen === undefined) {
    return [{ server: createListener({ ...control, serveCall }, tls), address: config.listen }];
  }
  const data = { ...shared, serveCall, serveControl: serve(appOf(ownEndpoints(core))) };
  return [
    { server: createListener(data, tls), address: config.listen },
    { server: createListener({ ...control, serveCall: undefined }, tls), address: config.controlListen },
  ];
}

function waitForCalls(running: ReadonlySet<Promise<void>>, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    void Promise.all(running).then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
