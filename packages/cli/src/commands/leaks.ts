/** `keyfold leaks`: reports a secret that others know, and says what is then done about its key. */
import { Argument, type Command } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples, addGroup } from '../help.ts';
import { ProblemError } from '../remote/control-client.ts';
import { type JsonObject, objectsOf, showValue, textOf } from '../remote/json.ts';
import { type RemoteOptions, type Session, addRemoteOptions, openSession } from '../remote/session.ts';
import { readSecret } from '../terminal/read-secret.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import { adviseOn } from './advise.ts';
import { refuseArguments } from './refuse-arguments.ts';

const ORGANIZATIONS_PATH = '/v1/organizations';
const ADMIN_PREFIX = 'kf_admin_';

/** What each policy does to a key that is reported. */
const POLICIES: Readonly<Record<string, string>> = {
  quarantine: 'is held, until it is let go with keyfold keys update ID --quarantined no, or revoked',
  rotate: 'loses every version and signing secret; keyfold keys rotate ID gives it a fresh version',
  revoke: 'is revoked for good',
};

export function addLeaks(program: Command, context: Context): void {
  const leaks = addGroup(program, 'leaks', 'Secrets that others know: report one, say what is then done.');
  addExamples(leaks, 'keyfold leaks policy');
  for (const add of [addReport, addPolicy]) add(leaks, context);
}

interface ReportOptions extends RemoteOptions {
  readonly secretFile?: string;
  readonly foundAt?: string;
  readonly note?: string;
}

function addReport(leaks: Command, context: Context): void {
  const report = addRemoteOptions(refuseArguments(leaks.command('report')))
    .description(
      'Report a leaked key or signing secret, read from standard input, a file, or typed without echo. It is contained at once.',
    )
    .option('--secret-file <file>', 'the file that holds the secret; - is standard input')
    .option('--found-at <url>', 'where it was found')
    .option('--note <text>', 'what else there is to say')
    .action(async (options: ReportOptions) => {
      const session = openSession(context, options);
      const asked = { prompt: 'Leaked secret', file: options.secretFile };
      const secret = (await readSecret(context, asked)).trim();
      const answer = await sendReport(session, { secret, url: options.foundAt, note: options.note });
      session.print(answer, () => describeReport(answer, secret.startsWith(ADMIN_PREFIX)));
    });
  addExamples(
    report,
    "keyfold leaks report --found-at https://example.org/paste/1 --note 'found in a build log'",
    'keyfold leaks report --secret-file leaked.key',
  );
}

async function sendReport({ client }: Session, body: unknown): Promise<JsonObject> {
  try {
    return await client.send({ method: 'POST', path: '/v1/leaks', body });
  } catch (error) {
    const isStranger = error instanceof ProblemError && error.code === 'not_found';
    if (!isStranger) throw error;
    throw adviseOn(
      error,
      'It may be mistyped, of another server, or a key of a provider: that is for the provider to revoke.',
    );
  }
}

function addPolicy(leaks: Command, context: Context): void {
  const policy = addRemoteOptions(leaks.command('policy'))
    .description('Show what is done about the key of a leaked secret, or say it anew.')
    .addArgument(new Argument('[policy]', 'what is to be done from now on').choices(Object.keys(POLICIES)))
    .action(async (chosen: string | undefined, options: RemoteOptions) => {
      const session = openSession(context, options);
      const own = await askOwnOrganization(session);
      const path = `${ORGANIZATIONS_PATH}/${encodeURIComponent(textOf(own['id']) ?? '')}`;
      const body = { leak_policy: chosen };
      const answer = chosen === undefined ? own : await session.client.send({ method: 'PATCH', path, body });
      session.print(answer, () => describePolicy(answer));
    });
  addExamples(policy, 'keyfold leaks policy', 'keyfold leaks policy revoke');
}

/** An admin key sees one organization, its own. */
async function askOwnOrganization({ client }: Session): Promise<JsonObject> {
  const [own] = objectsOf((await client.send({ method: 'GET', path: ORGANIZATIONS_PATH }))['data']);
  if (own !== undefined) return own;
  throw new CommandFailure(EXIT.notFound, 'The server shows no organization to this admin key.');
}

function describePolicy(organization: JsonObject): string {
  const policy = showValue(organization['leak_policy']);
  const meaning = POLICIES[policy];
  const then = meaning === undefined ? '' : ` A key that is reported as leaked ${meaning}.`;
  return escapeUnsafe(`Leak policy of ${showValue(organization['name'])}: ${policy}.${then}`) + '\n';
}

/** What it was, what was done, and what is next. */
function describeReport(answer: JsonObject, isAdmin: boolean): string {
  const key = showValue(answer['key_id']);
  const isKey = answer['kind'] !== 'signing_secret';
  const what = `It was version ${showValue(answer['version'])} of ${isKey ? key : `the signing secret of ${key}`}.`;
  const lines = [what, ...consequences(answer['action'], { key, isKey })];
  if (isAdmin && answer['action'] !== 'none') {
    lines.push(
      'If that was the last admin key: keyfold init --recover-admin-key, on the machine of the server, makes another.',
    );
  }
  return lines.map((line) => `${escapeUnsafe(line)}\n`).join('');
}

function consequences(action: unknown, { key, isKey }: { key: string; isKey: boolean }): readonly string[] {
  const rotate = isKey ? 'rotate' : 'rotate-signing-secret';
  switch (action) {
    case 'quarantined':
      return [
        `${key} is held: none of its versions works, until you decide.`,
        `To go on with it: keyfold keys ${rotate} ${key} --grace-s 0, hand the new secret out, then keyfold keys update ${key} --quarantined no.`,
        `To give it up: keyfold keys revoke ${key}.`,
      ];
    case 'rotated':
      return [
        `Every version and signing secret of ${key} has ended; its id, rules, budgets and history stay.`,
        `To go on with it: keyfold keys rotate ${key}, and keyfold keys rotate-signing-secret ${key} if it signs.`,
      ];
    case 'revoked':
      return [`${key} is revoked for good. Another one: keyfold keys create.`];
    case 'none':
      return ['Nothing had to be done: it was worth nothing any more. The report is in the audit log.'];
    default:
      return [`The server did: ${showValue(action)}.`];
  }
}
