/** The two nginx servers of a run: the mock provider, and the bare proxy that Keyfold is held against. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderChatCompletion, renderStreamEvents, STREAM_GAP_MS } from './payload.ts';
import { waitUntilReady, type OwnedProcess, type ProcessGroup } from './processes.ts';

/** Where Debian and others put the echo module. */
export const ECHO_MODULE_PATHS = [
  '/usr/lib/nginx/modules',
  '/usr/share/nginx/modules',
  '/usr/lib64/nginx/modules',
].map((folder) => `${folder}/ngx_http_echo_module.so`);

export interface NginxOptions {
  readonly name: string;
  readonly core: number;
  readonly port: number;
  /** A folder of this run; nginx keeps its pid file and temporary files there. */
  readonly tempDir: string;
  /** What stands inside `http { }`. */
  readonly http: string;
}

/** Starts one nginx with one worker, in the foreground, under its own prefix. */
export async function startNginx(group: ProcessGroup, options: NginxOptions): Promise<OwnedProcess> {
  const prefix = join(options.tempDir, options.name);
  mkdirSync(prefix, { recursive: true });
  const configFile = join(prefix, 'nginx.conf');
  writeFileSync(configFile, renderConfig(options.http));
  const server = group.start(options.name, {
    core: options.core,
    command: 'nginx',
    args: ['-e', 'stderr', '-p', prefix, '-c', configFile],
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
  });
  await waitUntilReady(server, `http://127.0.0.1:${options.port}/ready`);
  return server;
}

/** A provider that answers at once on `/v1`, and with a paced stream on `/stream/v1`. */
export function renderMockServer(port: number): string {
  const { content, usage } = renderStreamEvents();
  const pause = `echo_flush; echo_sleep ${STREAM_GAP_MS / 1000};`;
  const steps = content.map((event) => `      echo -n ${quote(event)}; ${pause}`);
  return `
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /ready { return 200 "ready"; }
    location = /v1/chat/completions { default_type application/json; return 200 ${quote(renderChatCompletion())}; }
    location = /stream/v1/chat/completions {
      default_type text/event-stream;
      echo_read_request_body;
${steps.join('\n')}
      echo -n ${quote(`${usage}data: [DONE]\n\n`)};
    }
  }`;
}

/** A proxy that governs nothing: kept-alive connections both ways, streams unbuffered. */
export function renderProxyServer(
  port: number,
  to: { readonly mockPort: number; readonly relayPort: number },
): string {
  return `
  upstream mock {
    server 127.0.0.1:${to.mockPort};
    keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location = /ready { return 200 "ready"; }
    location / { proxy_pass http://mock; }
    location /stream/ { proxy_pass http://mock; proxy_buffering off; }
    location /relay/ { proxy_pass http://127.0.0.1:${to.relayPort}; proxy_buffering off; }
  }`;
}

function renderConfig(http: string): string {
  const module = ECHO_MODULE_PATHS.find((path) => existsSync(path));
  if (!module) throw new Error('nginx has no echo module');
  return `load_module ${module};
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
${http}
}
`;
}

/** Quotes a text for nginx's configuration; none of ours has a single quote, a dollar or a backslash of its own. */
function quote(text: string): string {
  if (/['$\\]/.test(text)) throw new Error("nginx's configuration cannot carry this text");
  return `'${text.replaceAll('\n', '\\n')}'`;
}
