/** `keyfold credentials test`, `update` and `rotate`: whether a credential works, and how it is made to. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples } from '../help.ts';
import { readSeconds } from '../option-value.ts';
import { type JsonObject, showValue } from '../remote/json.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';
import { readSecret } from '../terminal/read-secret.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import {
  type CredentialOptions,
  addCredentialOptions,
  secretFileOption,
  toCredentialBody,
} from './credential-options.ts';
import { findPath } from './find-id.ts';
import { refuseArguments } from './refuse-arguments.ts';
import { CREDENTIAL, describeTestFailure, renderCredential, renderTest } from './show-credential.ts';

/** What the API takes a rotation without one for, too. */
const GRACE_S = 300;
const PROMPT = 'Secret';

export function addTest(credentials: Command, context: Context): void {
  const test = addRemoteOptions(credentials.command('test'))
    .description('Ask its provider for its models, which costs nothing. Exit code 1 when that fails.')
    .argument('<id|name>', 'the credential')
    .action(async (which: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const path = `${await findPath(session, CREDENTIAL, which)}/test`;
      const answer = await session.client.send({ method: 'POST', path });
      session.print(answer, () => renderTest(answer, session.style));
      if (answer['ok'] !== true) throw describeTestFailure(answer);
    });
  addExamples(test, 'keyfold credentials test main');
}

export function addUpdate(credentials: Command, context: Context): void {
  const update = refuseArguments(credentials.command('update'), { takes: 1 })
    .description(
      'Change a credential; what is not named stays. Whoever changes where its secret goes gives that again.',
    )
    .argument('<id|name>', 'the credential')
    .option('--name <name>', 'what people call it from now on');
  addRemoteOptions(addCredentialOptions(update, 'update')).action(
    async (which: string, options: CredentialOptions & RemoteOptions) => {
      const { secretFile, baseUrl, allowNetworks } = options;
      const changes = toCredentialBody(options);
      if (changes === undefined && secretFile === undefined) {
        throw new CommandFailure(EXIT.usage, 'Nothing to change was given.', {
          advice: 'Name at least one thing; keyfold credentials update --help lists them.',
        });
      }
      const session = openSession(context, options);
      const isMoved = baseUrl !== undefined || allowNetworks !== undefined;
      const secret =
        isMoved || secretFile !== undefined
          ? (await readSecret(context, { prompt: PROMPT, file: secretFile })).trim()
          : undefined;
      const path = await findPath(session, CREDENTIAL, which);
      const answer = await session.client.send({ method: 'PATCH', path, body: { ...changes, secret } });
      session.print(answer, () => renderCredential(answer, session.style));
    },
  );
  addExamples(
    update,
    'keyfold credentials update main --weight 3 --requests-per-minute 500',
    'keyfold credentials update ollama --base-url http://127.0.0.1:11435/v1 --secret-file ollama.key',
  );
}

interface RotateOptions extends RemoteOptions {
  readonly secretFile?: string;
  readonly graceS: number;
}

export function addRotate(credentials: Command, context: Context): void {
  const grace = new Option(
    '--grace-s <seconds>',
    'how long the old secret is still tried where the provider refuses the new one',
  );
  const rotate = refuseArguments(credentials.command('rotate'), { takes: 1 })
    .description('Replace its secret with one from standard input, a file, or typed without echo.')
    .argument('<id|name>', 'the credential')
    .addOption(secretFileOption())
    .addOption(grace.argParser(readSeconds).default(GRACE_S));
  addRemoteOptions(rotate).action(async (which: string, options: RotateOptions) => {
    const session = openSession(context, options);
    const secret = (await readSecret(context, { prompt: 'New secret', file: options.secretFile })).trim();
    const path = await findPath(session, CREDENTIAL, which);
    const body = { secret, grace_seconds: options.graceS };
    const answer = await session.client.send({ method: 'POST', path: `${path}/rotate`, body });
    session.print(answer, () => `${escapeUnsafe(describeRotation(answer))}\n`);
    session.remark(`To see that it works: keyfold credentials test ${showValue(answer['id'])}`);
  });
  addExamples(rotate, 'keyfold credentials rotate main --secret-file openai.key --grace-s 3600');
}

function describeRotation(answer: JsonObject): string {
  const until = answer['previous_expires_at'];
  const before =
    typeof until === 'string'
      ? `the secret before it is tried until ${showValue(until)} where the provider refuses the new one`
      : 'the secret before it is forgotten';
  return `Credential ${showValue(answer['id'])} has version ${showValue(answer['version'])}; ${before}.`;
}
