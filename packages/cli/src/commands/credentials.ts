/** `keyfold credentials`: the providers' secrets that Keyfold holds sealed. They go in and never come back. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { addExamples, addGroup } from '../help.ts';
import { showValue } from '../remote/json.ts';
import { type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { readSecret } from '../terminal/read-secret.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import { type CredentialOptions, addCredentialOptions, toCredentialBody } from './credential-options.ts';
import { addRotate, addTest, addUpdate } from './credentials-change.ts';
import { findPath } from './find-id.ts';
import { refuseArguments } from './refuse-arguments.ts';
import { CREDENTIAL, CREDENTIAL_LIST, renderCredential } from './show-credential.ts';

const PROVIDERS = ['openai', 'anthropic', 'google', 'deepseek', 'openai-compatible'];

export function addCredentials(program: Command, context: Context): void {
  const credentials = addGroup(
    program,
    'credentials',
    "Providers' secrets, held sealed: add, list, show, test, change, rotate, delete.",
  );
  addExamples(credentials, 'keyfold credentials list');
  for (const add of [addCreate, addList, addShow]) add(credentials, context);
  for (const add of [addTest, addUpdate, addRotate, addDelete]) add(credentials, context);
}

interface CreateOptions extends CredentialOptions, RemoteOptions {
  readonly provider: string;
  readonly name: string;
}

function addCreate(credentials: Command, context: Context): void {
  const create = refuseArguments(credentials.command('create'))
    .description("Add a provider's secret, read from standard input, a file, or typed without echo.")
    .addOption(new Option('--provider <provider>', 'whose it is').choices(PROVIDERS).makeOptionMandatory())
    .requiredOption('--name <name>', 'what people call it');
  addRemoteOptions(addCredentialOptions(create, 'create')).action(async (options: CreateOptions) => {
    const session = openSession(context, options);
    const { provider, name } = options;
    const prompt = `Secret of ${provider}`;
    const secret = (await readSecret(context, { prompt, file: options.secretFile })).trim();
    const body = { provider, ...toCredentialBody(options), secret };
    const answer = await session.client.send({ method: 'POST', path: CREDENTIAL.path, body });
    session.print(answer, () => {
      const added = `Added credential ${showValue(answer['id'])} (${provider}, ${name}).`;
      const isAsked = provider === 'openai-compatible' && options.models === undefined;
      return `${escapeUnsafe(isAsked ? `${added} It offers: ${showValue(answer['models'])}.` : added)}\n`;
    });
    session.remark(`To see that it works: keyfold credentials test ${showValue(answer['id'])}`);
  });
  addExamples(
    create,
    'keyfold credentials create --provider openai --name main --secret-file openai.key',
    'keyfold credentials create --provider openai-compatible --name ollama --base-url http://127.0.0.1:11434/v1 --allow-networks 127.0.0.0/8',
  );
}

function addList(credentials: Command, context: Context): void {
  const list = addPageOptions(credentials.command('list'))
    .description('List credentials, without their secrets.')
    .action((options: PageOptions) => showList(openSession(context, options), CREDENTIAL_LIST, { options }));
  addExamples(list, 'keyfold credentials list --json');
}

function addShow(credentials: Command, context: Context): void {
  const show = addRemoteOptions(credentials.command('show'))
    .description('Show one credential, without its secret.')
    .argument('<id|name>', 'the credential')
    .action(async (which: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const path = await findPath(session, CREDENTIAL, which);
      const answer = await session.client.send({ method: 'GET', path });
      session.print(answer, () => renderCredential(answer, session.style));
    });
  addExamples(show, 'keyfold credentials show main');
}

function addDelete(credentials: Command, context: Context): void {
  const remove = addRemoteOptions(credentials.command('delete'))
    .description('Delete a credential: calls no longer use it. Asks first on a terminal.')
    .argument('<id|name>', 'the credential')
    .option('--yes', 'do not ask')
    .action(async (which: string, options: RemoteOptions & { yes?: true }) => {
      const session = openSession(context, options);
      const path = await findPath(session, CREDENTIAL, which);
      if (options.yes !== true) await confirm(context, `Delete ${which}? Its secret cannot be brought back.`);
      const answer = await session.client.send({ method: 'DELETE', path });
      session.print(answer, () => `${escapeUnsafe(`Deleted ${which}.`)}\n`);
    });
  addExamples(remove, 'keyfold credentials delete crd_01h455vb4pex5vsknk084sn02q --yes');
}
