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
  return { port, target: describeForwarder({ name: 'direct', port, pid }) };
}

export async function startProxy(rig: Rig): Promise<Target> {
  const port = await findFreePort();
  const http = renderProxyServer(port, rig.mockPort);
  const { pid } = await startNginx(rig.group, {
    name: 'nginx',
    core: rig.cores.server,
    port,
    tempDir: rig.tempDir,
    http,
  });
  return describeForwarder({ name: 'nginx', port, pid });
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
  const headersFor = (base: string): Record<string, string> => ({
    authorization: 'Bearer x',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `http://127.0.0.1:${rig.mockPort}${base}`,
  });
  const url = `${origin}/v1/chat/completions`;
  return {
    name: 'portkey',
    chat: describeChatCall(url, 'bench-model', headersFor('/v1')),
    stream: describeStreamCall(url, 'bench-stream', headersFor('/stream/v1')),
    pid: server.pid,
  };
}

function describeForwarder(server: { name: 'direct' | 'nginx'; port: number; pid: number }): Target {
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    name: server.name,
    chat: describeChatCall(`${origin}/v1/chat/completions`, 'bench-model'),
    stream: describeStreamCall(`${origin}/stream/v1/chat/completions`, 'bench-stream'),
    pid: server.pid,
  };
}
