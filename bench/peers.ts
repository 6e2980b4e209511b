/** The targets that are not Keyfold: the mock itself, nginx as a bare proxy, Portkey's gateway. */
import { join } from 'node:path';
import type { Cores } from './cores.ts';
import { renderMockServer, renderProxyServer, startNginx } from './nginx.ts';
import { BENCH_DIR, PINNED_NODE } from './places.ts';
import { findFreePort, waitUntilReady, type ProcessGroup } from './processes.ts';
import { describeChatCall, describeStreamCall, type Target } from './target.ts';

/** What starting a target needs to know. */
export interface Rig {
  readonly group: ProcessGroup;
  readonly cores: Cores;
  readonly tempDir: string;
  /** The mock provider; `/v1` and `/stream/v1` under it are base URLs. */
  readonly mockPort: number;
  /** Where the relay probe is a provider while it runs. */
  readonly relayPort: number;
}

export async function startMock(rig: Omit<Rig, 'mockPort'>): Promise<{ port: number; target: Target }> {
  const port = await findFreePort();
  const http = renderMockServer(port);
  const { pid } = await startNginx(rig.group, {
    name: 'mock',
    core: rig.cores.load,
    port,
    tempDir: rig.tempDir,
    http,
  });
  return { port, target: describeForwarder({ name: 'direct', port, pid, relayPort: rig.relayPort }) };
}

export async function startProxy(rig: Rig): Promise<Target> {
  const port = await findFreePort();
  const http = renderProxyServer(port, rig);
  const { pid } = await startNginx(rig.group, {
    name: 'nginx',
    core: rig.cores.server,
    port,
    tempDir: rig.tempDir,
    http,
  });
  return describeForwarder({ name: 'nginx', port, pid, relayPort: port });
}

/** Node.js with the parts that Keyfold relays with, and nothing else. */
export async function startBareRelay(rig: Rig): Promise<Target> {
  const port = await findFreePort();
  const origin = (of: number) => `http://127.0.0.1:${of}`;
  const server = rig.group.start('bare', {
    core: rig.cores.server,
    command: PINNED_NODE,
    args: ['--max-semi-space-size=16', join(BENCH_DIR, 'bare-relay.ts')],
    env: {
      ...process.env,
      BENCH_BARE_PORT: String(port),
      BENCH_BARE_ROUTES: JSON.stringify({ '/relay/': origin(rig.relayPort), '/': origin(rig.mockPort) }),
    },
  });
  await waitUntilReady(server, `${origin(port)}/ready`);
  return describeForwarder({ name: 'bare', port, pid: server.pid, relayPort: port });
}

/** Portkey's gateway as its package ships it, without its console; one process, as it always is. */
export async function startPortkey(rig: Rig): Promise<Target> {
  const port = await findFreePort();
  const server = rig.group.start('portkey', {
    core: rig.cores.server,
    command: PINNED_NODE,
    args: [
      '--import',
      join(BENCH_DIR, 'listen-on-loopback.ts'),
      join(BENCH_DIR, 'node_modules/@portkey-ai/gateway/build/start-server.js'),
      '--headless',
      `--port=${port}`,
    ],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const origin = `http://127.0.0.1:${port}`;
  await waitUntilReady(server, `${origin}/`);
  const headersFor = (base: string, port = rig.mockPort): Record<string, string> => ({
    authorization: 'Bearer x',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `http://127.0.0.1:${port}${base}`,
  });
  const url = `${origin}/v1/chat/completions`;
  return {
    name: 'portkey',
    chat: describeChatCall(url, 'bench-model', headersFor('/v1')),
    stream: describeStreamCall(url, 'bench-stream', headersFor('/stream/v1')),
    relay: describeStreamCall(url, 'bench-relay', headersFor('/relay/v1', rig.relayPort)),
    pid: server.pid,
  };
}

function describeForwarder(server: {
  name: 'direct' | 'nginx' | 'bare';
  port: number;
  pid: number;
  relayPort: number;
}): Target {
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    name: server.name,
    chat: describeChatCall(`${origin}/v1/chat/completions`, 'bench-model'),
    stream: describeStreamCall(`${origin}/stream/v1/chat/completions`, 'bench-stream'),
    relay: describeStreamCall(
      `http://127.0.0.1:${server.relayPort}/relay/v1/chat/completions`,
      'bench-relay',
    ),
    pid: server.pid,
  };
}
