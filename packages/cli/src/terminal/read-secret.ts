/** Takes a secret from a file, from standard input, or typed without echo; never from arguments, which every user can see. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';

const SECRET_BYTES_MAX = 65_536;

export interface SecretRequest {
  /** What is asked for, as a prompt: `Secret of openai`. */
  readonly prompt: string;
  /** A file, or `-` for standard input. Without it: typed where there is a terminal, else standard input. */
  readonly file: string | undefined;
}

/** The secret without the line break that ends it. Throws `CommandFailure` when there is none. */
export async function readSecret(context: Context, request: SecretRequest): Promise<string> {
  const secret = (await readText(context, request)).replace(/\r?\n$/, '');
  if (secret === '') {
    throw new CommandFailure(EXIT.usage, 'The secret is empty.', {
      advice: 'Type it when asked, pipe it in, or name a file that holds it.',
    });
  }
  return secret;
}

async function readText(context: Context, { file, prompt }: SecretRequest): Promise<string> {
  if (file !== undefined && file !== '-') return readSecretFile(resolve(context.cwd, file));
  if (file === undefined && context.stdin.isTTY === true) return askWithoutEcho(context, prompt);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of context.stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk as string);
    length += bytes.length;
    if (length > SECRET_BYTES_MAX) throw tooLong();
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function readSecretFile(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandFailure(EXIT.usage, `${path} cannot be read (${code}).`, { cause: error });
  }
  if (text.length > SECRET_BYTES_MAX) throw tooLong();
  return text;
}

/** The line editor writes what is typed to its output: giving it one that swallows everything hides the secret. */
async function askWithoutEcho({ stdin, stderr }: Context, prompt: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: silent, terminal: true, historySize: 0 });
  const cancelled = new AbortController();
  lines.once('SIGINT', () => cancelled.abort());
  lines.once('close', () => cancelled.abort());
  stderr.write(`${prompt} (typing is hidden): `);
  try {
    return await lines.question('', { signal: cancelled.signal });
  } catch (error) {
    throw new CommandFailure(EXIT.failure, 'Cancelled.', { cause: error });
  } finally {
    lines.close();
    stderr.write('\n');
  }
}

function tooLong(): CommandFailure {
  return new CommandFailure(EXIT.usage, `The secret is longer than ${SECRET_BYTES_MAX} bytes.`);
}
