/** Finds the server and the admin key that the environment names (`KEYFOLD_URL`, `KEYFOLD_ADMIN_KEY`). */
import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { ControlClient } from './control-client.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8080';
export const DEFAULT_TIMEOUT_S = 30;

export interface ConnectOptions {
  readonly url?: string | undefined;
  readonly timeoutS?: number | undefined;
  /** Whether to do without an admin key where there is none. */
  readonly keyOptional?: boolean;
}

/** Throws `CommandFailure` (usage) when the URL or the key is missing or cannot be used. Nothing is sent yet. */
export function connect({ env, cwd }: Pick<Context, 'env' | 'cwd'>, options: ConnectOptions): ControlClient {
  const url = readUrl(
    options.url ?? env['KEYFOLD_URL'] ?? DEFAULT_URL,
    env['KEYFOLD_ALLOW_PLAINTEXT'] === '1',
  );
  const adminKey = readAdminKey({ env, cwd });
  if (adminKey === undefined && options.keyOptional !== true) {
    throw new CommandFailure(EXIT.usage, 'There is no admin key to ask with.', {
      advice:
        'Set KEYFOLD_ADMIN_KEY to it, or KEYFOLD_ADMIN_KEY_FILE to the file that holds it. The first start printed it.',
    });
  }
  return new ControlClient({ url, adminKey, timeoutMs: (options.timeoutS ?? DEFAULT_TIMEOUT_S) * 1_000 });
}

function readUrl(text: string, allowPlaintext: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === undefined || !isHttp || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new CommandFailure(EXIT.usage, 'The URL of the server is not one.', {
      advice: `Set KEYFOLD_URL to something like https://keyfold.example or ${DEFAULT_URL}.`,
    });
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowPlaintext) {
    throw new CommandFailure(EXIT.usage, `The admin key would travel to ${url.host} unencrypted.`, {
      advice: 'Use https:// in KEYFOLD_URL, or set KEYFOLD_ALLOW_PLAINTEXT=1 where the network is your own.',
    });
  }
  // What programs use as their base URL ends in /v1; the paths here bring their own.
  url.pathname = url.pathname.replace(/\/v1\/?$/, '/');
  return url;
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'))
  );
}

function readAdminKey({ env, cwd }: Pick<Context, 'env' | 'cwd'>): string | undefined {
  const file = env['KEYFOLD_ADMIN_KEY_FILE'];
  const key = (
    env['KEYFOLD_ADMIN_KEY'] ?? (file === undefined ? '' : readKeyFile(resolve(cwd, file)))
  ).trim();
  if (key === '') return undefined;
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new CommandFailure(EXIT.usage, 'The admin key holds characters that no key has.', {
    advice: 'Copy it again: it is kf_admin_ and 49 letters and digits.',
  });
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandFailure(EXIT.usage, `${path} cannot be read (${code}).`, {
      advice:
        'Set KEYFOLD_ADMIN_KEY_FILE to the file that holds the admin key, or KEYFOLD_ADMIN_KEY to the key.',
      cause: error,
    });
  }
}
