/** `keyfold keys`: makes, lists, shows, changes, rotates, revokes and verifies keys. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples, addGroup } from '../help.ts';
import { collectList, compact, readUsd } from '../option-value.ts';
import { type JsonObject, isJsonObject, showValue, textOf } from '../remote/json.ts';
import { type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { readSecret } from '../terminal/read-secret.ts';
import { renderFields } from '../terminal/table.ts';
import { type KeyOptions, addKeyOptions, toKeyBody } from './key-options.ts';
import { KEYS_PATH, pathOfKey } from './key-path.ts';
import { addEndVersion, addRotate, addRotateSigningSecret } from './keys-rotate.ts';
import { addResume } from './keys-resume.ts';
import { refuseArguments } from './refuse-arguments.ts';
import { KEY_LIST, renderKey, renderSecrets, signingSecretOf } from './show-key.ts';

const NO_CHILDREN = 'This key has no children. It makes them itself: POST /v1/keys/self/children.';
const PERMISSIONS = 'what it may do, by commas: chat, embeddings, …; keys:read, … for an admin key';

export function addKeys(program: Command, context: Context): void {
  const keys = addGroup(program, 'keys', 'Keys that programs use: make, list, show, change, rotate, revoke.');
  addExamples(keys, 'keyfold keys list');
  for (const add of [addCreate, addList, addShow, addUpdate]) add(keys, context);
  for (const add of [addRotate, addEndVersion, addRotateSigningSecret]) add(keys, context);
  for (const add of [addResume, addRevoke, addVerify]) add(keys, context);
}

interface CreateOptions extends KeyOptions, RemoteOptions {
  readonly project?: string;
  readonly kind?: string;
  readonly canary?: true;
}

function addCreate(keys: Command, context: Context): void {
  const create = keys
    .command('create')
    .description('Make a key and print it, this once.')
    .addOption(new Option('--permissions <names>', PERMISSIONS).argParser(collectList).makeOptionMandatory())
    .option('--project <id>', 'the project it belongs to (default: that of the admin key)')
    .addOption(
      new Option('--kind <kind>', 'live by default; test never costs money').choices([
        'live',
        'test',
        'admin',
      ]),
    )
    .option('--canary', 'bait for thieves: it never works, and whoever tries it raises an alarm');
  addRemoteOptions(addKeyOptions(create, 'create')).action(async (options: CreateOptions) => {
    const session = openSession(context, options);
    const { project, kind, canary } = options;
    const body = { ...toKeyBody(options), project_id: project, kind, canary };
    const answer = await session.client.send({ method: 'POST', path: KEYS_PATH, body });
    const secrets = [
      { heading: describeKey(answer, options), secret: answer['api_key'] },
      ...signingSecretOf(answer),
    ];
    session.print(answer, () => renderSecrets(secrets, session.style));
  });
  addExamples(
    create,
    'keyfold keys create --name payments --permissions chat,embeddings --requests-per-minute 60 --per-month-usd 100',
    'keyfold keys create --name billing --permissions chat --signing 2',
  );
}

function describeKey(answer: JsonObject, { name, canary }: CreateOptions): string {
  const key = `${showValue(answer['id'])}${name === undefined ? '' : ` (${name})`}`;
  return canary === true
    ? `Made canary ${key}. It never works; whoever tries it raises an alarm.`
    : `Made key ${key}.`;
}

interface ListOptions extends PageOptions {
  readonly parent?: string;
  readonly project?: string;
  readonly kind?: string;
}

function addList(keys: Command, context: Context): void {
  const list = addPageOptions(keys.command('list'))
    .description('List keys, without their secrets; or the children of one.')
    .option('--parent <id>', 'the children of this key, which are not listed otherwise')
    .option('--project <id>', 'only of this project')
    .addOption(new Option('--kind <kind>', 'only of this kind').choices(['live', 'test', 'admin']))
    .action((options: ListOptions) => {
      const { parent, project, kind } = options;
      const view = parent === undefined ? KEY_LIST : { ...KEY_LIST, empty: NO_CHILDREN };
      const query = { parent_id: parent, project_id: project, kind };
      return showList(openSession(context, options), view, { options, query });
    });
  addExamples(
    list,
    'keyfold keys list --all --json',
    'keyfold keys list --parent key_01h455vb4pex5vsknk084sn02q',
  );
}

function addShow(keys: Command, context: Context): void {
  const show = addRemoteOptions(keys.command('show'))
    .description('Show one key: its rules, what its budgets have left, its versions and who still uses them.')
    .argument('<id>', 'the key, by its id')
    .action(async (id: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const answer = await session.client.send({ method: 'GET', path: pathOfKey(id) });
      session.print(answer, () => renderKey(answer, session.style));
    });
  addExamples(show, 'keyfold keys show key_01h455vb4pex5vsknk084sn02q');
}

interface UpdateOptions extends KeyOptions, RemoteOptions {
  readonly quarantined?: 'yes' | 'no';
}

function addUpdate(keys: Command, context: Context): void {
  const update = keys
    .command('update')
    .description('Change the rules of a key. They hold from the next call on.')
    .argument('<id>', 'the key, by its id')
    .addOption(new Option('--permissions <names>', PERMISSIONS).argParser(collectList))
    .addOption(
      new Option('--quarantined <yes|no>', 'hold it, so that nothing of it works, or let it go').choices([
        'yes',
        'no',
      ]),
    );
  addRemoteOptions(addKeyOptions(update, 'update')).action(async (id: string, options: UpdateOptions) => {
    const { quarantined } = options;
    const held = quarantined === undefined ? undefined : quarantined === 'yes';
    const body = compact({ ...toKeyBody(options), quarantined: held });
    if (body === undefined) {
      throw new CommandFailure(EXIT.usage, 'Nothing to change was given.', {
        advice: 'Name at least one rule; keyfold keys update --help lists them.',
      });
    }
    const session = openSession(context, options);
    const answer = await session.client.send({ method: 'PATCH', path: pathOfKey(id), body });
    const secrets = signingSecretOf(answer);
    session.print(answer, () => {
      const page = renderKey(answer, session.style);
      return secrets.length === 0 ? page : `${page}\n${renderSecrets(secrets, session.style)}`;
    });
  });
  addExamples(
    update,
    'keyfold keys update key_01h455vb4pex5vsknk084sn02q --per-day-usd 5 --models none',
    'keyfold keys update key_01h455vb4pex5vsknk084sn02q --quarantined no',
  );
}

function addRevoke(keys: Command, context: Context): void {
  const revoke = addRemoteOptions(keys.command('revoke'))
    .description('End a key at once and for good. Asks first on a terminal.')
    .argument('<id>', 'the key, by its id')
    .option('--yes', 'do not ask')
    .action(async (id: string, options: RemoteOptions & { yes?: true }) => {
      const session = openSession(context, options);
      if (options.yes !== true)
        await confirm(context, `Revoke ${id} for good? Its holders are refused from now on.`);
      const answer = await session.client.send({ method: 'DELETE', path: pathOfKey(id) });
      session.print(answer, () => `Revoked ${id}.\n`);
    });
  addExamples(revoke, 'keyfold keys revoke key_01h455vb4pex5vsknk084sn02q --yes');
}

interface VerifyOptions extends RemoteOptions {
  readonly keyFile?: string;
  readonly permission?: string;
  readonly costUsd?: string;
}

function addVerify(keys: Command, context: Context): void {
  const verify = addRemoteOptions(refuseArguments(keys.command('verify')))
    .description(
      'Check a key, read from standard input, a file, or typed without echo. Exit code 1 when it is not valid.',
    )
    .option('--key-file <file>', 'the file that holds the key; - is standard input')
    .option('--permission <name>', 'also: may it do this?')
    .addOption(new Option('--cost-usd <amount>', 'also: have its budgets room for this?').argParser(readUsd))
    .action(async (options: VerifyOptions) => {
      const session = openSession(context, options);
      const key = (await readSecret(context, { prompt: 'Key', file: options.keyFile })).trim();
      const body = { key, permission: options.permission, cost: options.costUsd };
      const answer = await session.client.send({ method: 'POST', path: '/v1/keys/verify', body });
      session.print(answer, () =>
        renderFields(
          Object.entries(answer)
            .filter(([, value]) => !isJsonObject(value))
            .map(([name, value]) => [name.replaceAll('_', ' '), showValue(value)]),
          session.style,
        ),
      );
      if (answer['valid'] !== true) throw invalidKey(answer['error']);
    });
  addExamples(verify, 'keyfold keys verify --permission chat --key-file app.key');
}

function invalidKey(error: unknown): CommandFailure {
  const detail = isJsonObject(error) ? (textOf(error['message']) ?? textOf(error['code'])) : undefined;
  return new CommandFailure(
    EXIT.failure,
    detail === undefined ? 'The key is not valid.' : `The key is not valid: ${detail}`,
    {
      advice: 'keyfold keys show says what holds for the key, if this server has it.',
    },
  );
}
