/** `keyfold credentials`: the providers' secrets that Keyfold holds sealed. They go in and never come back. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { addExamples, addGroup } from '../help.ts';
import { collectList } from '../option-value.ts';
import { type JsonObject, isJsonObject, showValue } from '../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { readSecret } from '../terminal/read-secret.ts';
import type { Style } from '../terminal/style.ts';
import { renderFields } from '../terminal/table.ts';
import { refuseArguments } from './refuse-arguments.ts';

const PROVIDERS = ['openai', 'anthropic', 'google', 'deepseek', 'openai-compatible'];

const CREDENTIAL_LIST: ListView = {
  path: '/v1/credentials',
  columns: [
    { title: 'id', path: 'id' },
    { title: 'provider', path: 'provider' },
    { title: 'name', path: 'name' },
    { title: 'base url', path: 'base_url' },
    { title: 'models', path: 'models' },
    { title: 'created', path: 'created_at' },
  ],
  empty: 'There are no credentials. Add one: keyfold credentials create --provider openai --name NAME',
};

export function addCredentials(program: Command, context: Context): void {
  const credentials = addGroup(
    program,
    'credentials',
    "Providers' secrets, held sealed: add, list, show, delete.",
  );
  addExamples(credentials, 'keyfold credentials list');
  for (const add of [addCreate, addList, addShow, addDelete]) add(credentials, context);
}

interface CreateOptions extends RemoteOptions {
  readonly provider: string;
  readonly name: string;
  readonly secretFile?: string;
  readonly baseUrl?: string;
  readonly allowNetworks?: readonly string[];
  readonly models?: readonly string[];
}

function addCreate(credentials: Command, context: Context): void {
  const create = refuseArguments(credentials.command('create'))
    .description("Add a provider's secret, read from standard input, a file, or typed without echo.")
    .addOption(new Option('--provider <provider>', 'whose it is').choices(PROVIDERS).makeOptionMandatory())
    .requiredOption('--name <name>', 'what people call it')
    .option('--secret-file <file>', 'the file that holds the secret; - is standard input')
    .option('--base-url <url>', "where the provider is, if not at the vendor's own address")
    .addOption(
      new Option(
        '--allow-networks <networks>',
        'private networks (CIDR, by commas) that it may be in',
      ).argParser(collectList),
    )
    .addOption(
      new Option(
        '--models <names>',
        'the models it offers, by commas; required for openai-compatible',
      ).argParser(collectList),
    );
  addRemoteOptions(create).action(async (options: CreateOptions) => {
    const session = openSession(context, options);
    const prompt = `Secret of ${options.provider}`;
    const body = {
      provider: options.provider,
      name: options.name,
      secret: (await readSecret(context, { prompt, file: options.secretFile })).trim(),
      base_url: options.baseUrl,
      allow_networks: options.allowNetworks,
      models: options.models,
    };
    const answer = await session.client.send({ method: 'POST', path: CREDENTIAL_LIST.path, body });
    session.print(
      answer,
      () => `Added credential ${showValue(answer['id'])} (${options.provider}, ${options.name}).\n`,
    );
  });
  addExamples(
    create,
    'keyfold credentials create --provider openai --name main --secret-file openai.key',
    'keyfold credentials create --provider openai-compatible --name ollama --base-url http://127.0.0.1:11434/v1 --allow-networks 127.0.0.0/8 --models llama3',
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
    .argument('<id>', 'the credential, by its id')
    .action(async (id: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const answer = await session.client.send({ method: 'GET', path: pathOf(id) });
      session.print(answer, () => renderCredential(answer, session.style));
    });
  addExamples(show, 'keyfold credentials show crd_01h455vb4pex5vsknk084sn02q');
}

function addDelete(credentials: Command, context: Context): void {
  const remove = addRemoteOptions(credentials.command('delete'))
    .description('Delete a credential: calls no longer use it. Asks first on a terminal.')
    .argument('<id>', 'the credential, by its id')
    .option('--yes', 'do not ask')
    .action(async (id: string, options: RemoteOptions & { yes?: true }) => {
      const session = openSession(context, options);
      if (options.yes !== true) await confirm(context, `Delete ${id}? Its secret cannot be brought back.`);
      const answer = await session.client.send({ method: 'DELETE', path: pathOf(id) });
      session.print(answer, () => `Deleted ${id}.\n`);
    });
  addExamples(remove, 'keyfold credentials delete crd_01h455vb4pex5vsknk084sn02q --yes');
}

function renderCredential(credential: JsonObject, style: Style): string {
  const fields = Object.entries(credential).filter(([name]) => name !== 'object');
  return renderFields(
    fields.map(([name, value]) => [
      name.replaceAll('_', ' '),
      isJsonObject(value) ? JSON.stringify(value) : showValue(value),
    ]),
    style,
  );
}

function pathOf(id: string): string {
  return `${CREDENTIAL_LIST.path}/${encodeURIComponent(id)}`;
}
