/** What a command may touch of the process that it runs in; given from outside, so that tests can stand in its place. */
import type { Readable, Writable } from 'node:stream';
import type { Config } from './server-config.ts';

export interface Output {
  write(text: string): void;
}

/** What `@keyfold/server` offers the command line. */
export interface ServerModule {
  /** Rejects when the server cannot start; the message says what to do. */
  readonly startKeyfold: (config: Config, output: Output) => Promise<RunningServer>;
  /** Creates what the first start would, without listening; or another admin key for what is there. */
  readonly initKeyfold: (
    config: Config,
    output: Output,
    options?: { readonly recoversAdminKey?: boolean },
  ) => Promise<void>;
}

export interface RunningServer {
  readonly url: string;
  /** Resolves when running calls have ended or `stopTimeoutMs` has passed. */
  stop(): Promise<void>;
}

export type Signal = 'SIGINT' | 'SIGTERM';

export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Loaded only by the commands that run a server. */
  loadServer(): Promise<ServerModule>;
  /** Calls back at every such signal, instead of ending the process. */
  onSignal(signal: Signal, listener: () => void): void;
  /** Ends the process at once. */
  exit(code: number): void;
}
