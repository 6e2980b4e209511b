/** Runs the installed git on one repository, as it is on disk and without anything that the repository could have run. */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { redactSecrets } from './finding.ts';

export interface Repository {
  /** Where git runs: the folder that was named. */
  readonly folder: string;
  /** The folder's path from the top of the work tree; undefined in a repository without one. */
  readonly prefix: string | undefined;
  /** The top of the work tree, else the folder. */
  readonly top: string;
  /** Whether older commits were left out when it was cloned. */
  readonly isShallow: boolean;
  /** What git prints, without the line break that ends it. Rejects with `CommandFailure`. */
  read(args: readonly string[]): Promise<string>;
  start(args: readonly string[]): RunningGit;
}

export interface RunningGit {
  readonly input: Writable;
  readonly output: Readable;
  /** Rejects with `CommandFailure` when git failed. */
  readonly ended: Promise<void>;
  /** Ends it, if it runs; then it has not failed. */
  readonly stop: () => void;
}

/**
 * Whatever the configuration says: no file system monitor, which is a program, no fetching of what a partial clone lacks,
 * which could run one, and the same form of every log.
 */
const SETTINGS = [
  'core.fsmonitor=false',
  'protocol.allow=never',
  'log.showRoot=true',
  'log.showSignature=false',
].flatMap((setting) => ['-c', setting]);
const ENVIRONMENT = { GIT_OPTIONAL_LOCKS: '0', GIT_NO_REPLACE_OBJECTS: '1', GIT_NO_LAZY_FETCH: '1' };

/** Throws `CommandFailure` when the folder is in no repository, or git is missing. */
export async function openRepository(context: Context, folder = '.'): Promise<Repository> {
  const path = resolve(context.cwd, folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new CommandFailure(EXIT.usage, `${redactSecrets(folder)} is not a folder.`);
  }
  const start = (args: readonly string[]): RunningGit => startGit(context, path, args);
  const read = async (args: readonly string[]): Promise<string> => {
    const git = start(args);
    git.input.end();
    const [printed] = await Promise.all([text(git.output), git.ended]);
    return printed.replace(/\r?\n$/, '');
  };
  const facts = await read(['rev-parse', '--is-inside-work-tree', '--is-shallow-repository']).catch(
    (error: Error) => {
      if (error instanceof CommandFailure && error.exitCode === EXIT.usage) throw error;
      throw new CommandFailure(
        EXIT.usage,
        `${redactSecrets(folder)} is no git repository. ${error.message}`,
        {
          cause: error,
        },
      );
    },
  );
  const [isInside, isShallow] = facts.split('\n').map((fact) => fact.trim() === 'true');
  const hasTree = isInside === true;
  return {
    folder: path,
    prefix: hasTree ? await read(['rev-parse', '--show-prefix']) : undefined,
    top: hasTree ? await read(['rev-parse', '--show-toplevel']) : path,
    isShallow: isShallow === true,
    read,
    start,
  };
}

function startGit(context: Context, cwd: string, args: readonly string[]): RunningGit {
  const env = { ...context.env, ...ENVIRONMENT };
  const child = spawn('git', [...SETTINGS, ...args], { cwd, env, stdio: 'pipe' });
  const said = text(child.stderr);
  // An early end of git breaks its input; why it ended is what `ended` tells.
  child.stdin.on('error', () => undefined);
  let isStopped = false;
  const ended = new Promise<void>((done, fail) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      fail(error.code === 'ENOENT' ? missingGit(error) : error);
    });
    child.once('close', (code) => {
      if (code === 0 || isStopped) done();
      else said.then((message) => fail(failedGit(args[0] ?? '', message)), fail);
    });
  });
  // It is awaited late, when all output has been read.
  ended.catch(() => undefined);
  const stop = (): void => {
    isStopped = true;
    child.kill();
  };
  return { input: child.stdin, output: child.stdout, ended, stop };
}

function missingGit(cause: Error): CommandFailure {
  return new CommandFailure(EXIT.usage, 'git was not found.', {
    advice: 'Install git, or put it on the PATH. Files are scanned without it: keyfold scan PATH.',
    cause,
  });
}

function failedGit(command: string, said: string): CommandFailure {
  const [reason = ''] = said.trim().split('\n');
  return new CommandFailure(
    EXIT.failure,
    `git ${command} failed: ${reason === '' ? 'no reason given' : redactSecrets(reason)}`,
  );
}
