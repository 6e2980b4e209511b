/** `keyfold keys rotate`, `end-version` and `rotate-signing-secret`: new versions, and the ends of those before them. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { addExamples } from '../help.ts';
import { readCount, readSeconds } from '../option-value.ts';
import { ProblemError } from '../remote/control-client.ts';
import { type JsonObject, memberAt, objectsOf, showValue } from '../remote/json.ts';
import { type RemoteOptions, type Session, addRemoteOptions, openSession } from '../remote/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import { adviseOn } from './advise.ts';
import { pathOfKey } from './key-path.ts';
import { isOver, withStates } from './key-state.ts';
import { renderSecrets } from './show-key.ts';

interface GraceOptions extends RemoteOptions {
  readonly graceS: number;
}

interface EndOptions extends GraceOptions {
  readonly signingSecret?: true;
  readonly yes?: true;
}

/** What the API takes a rotation without one for, too. */
const GRACE_S = 300;

export function addRotate(keys: Command, context: Context): void {
  const rotate = addRemoteOptions(keys.command('rotate'))
    .description('Give a key a new version and print it, this once; the old one works through the grace.')
    .argument('<id>', 'the key, by its id')
    .addOption(graceOption('how long the old version still works', GRACE_S))
    .action(async (id: string, options: GraceOptions) => {
      const session = openSession(context, options);
      const body = { grace_seconds: options.graceS };
      const answer = await sendRotation(session, { id, path: 'rotate', body });
      session.print(answer, () =>
        renderSecrets([{ heading: describeRotation(answer), secret: answer['new_api_key'] }], session.style),
      );
    });
  addExamples(rotate, 'keyfold keys rotate key_01h455vb4pex5vsknk084sn02q --grace-s 3600');
}

export function addEndVersion(keys: Command, context: Context): void {
  const end = addRemoteOptions(keys.command('end-version'))
    .description(
      'Give a version that was replaced another end, at once or later. Asks first on a terminal where it is at once.',
    )
    .argument('<id>', 'the key, by its id')
    .argument('<version>', 'its number, as show has it', readCount)
    .addOption(graceOption('how long it still works, from now on', 0))
    .option('--signing-secret', 'of what the key signs with, instead of the key')
    .option('--yes', 'do not ask')
    .action(async (id: string, version: number, options: EndOptions) => {
      const session = openSession(context, options);
      if (options.graceS === 0 && options.yes !== true) {
        await confirm(
          context,
          `End version ${version} of ${id} for good? Who still uses it is refused from now on.`,
        );
      }
      const answer = await session.client.send({
        method: 'PATCH',
        path: `${pathOfKey(id)}/${options.signingSecret === true ? 'signing-secrets' : 'versions'}/${version}`,
        body: { grace_seconds: options.graceS },
      });
      session.print(answer, () => describeEnd(answer, { version, ...options }));
    });
  addExamples(
    end,
    'keyfold keys end-version key_01h455vb4pex5vsknk084sn02q 1',
    'keyfold keys end-version key_01h455vb4pex5vsknk084sn02q 1 --grace-s 3600',
  );
}

export function addRotateSigningSecret(keys: Command, context: Context): void {
  const rotate = addRemoteOptions(keys.command('rotate-signing-secret'))
    .description(
      'Replace what a key signs with, and print it, this once; the old one is accepted through the grace.',
    )
    .argument('<id>', 'the key, by its id')
    .addOption(graceOption('how long the old one is still accepted', GRACE_S))
    .option('--public-key <base64>', 'the new public key, of a key that signs with Ed25519')
    .action(async (id: string, options: GraceOptions & { publicKey?: string }) => {
      const session = openSession(context, options);
      const body = { grace_seconds: options.graceS, public_key: options.publicKey };
      const answer = await sendRotation(session, { id, path: 'signing-secret/rotate', body });
      const secret = answer['signing_secret'];
      const heading = describeSigningRotation(answer);
      // Of a public key there is no secret: its private half never comes here.
      session.print(answer, () =>
        secret === undefined
          ? `${escapeUnsafe(heading)}\n`
          : renderSecrets([{ heading, secret }], session.style),
      );
    });
  addExamples(rotate, 'keyfold keys rotate-signing-secret key_01h455vb4pex5vsknk084sn02q --grace-s 3600');
}

function graceOption(meaning: string, fallbackS: number): Option {
  return new Option('--grace-s <seconds>', meaning).argParser(readSeconds).default(fallbackS);
}

interface Rotation {
  readonly id: string;
  readonly path: 'rotate' | 'signing-secret/rotate';
  readonly body: unknown;
}

/** A refusal because a version is in its grace says which one, who uses it, and what can be done. */
async function sendRotation(session: Session, { id, path, body }: Rotation): Promise<JsonObject> {
  try {
    return await session.client.send({ method: 'POST', path: `${pathOfKey(id)}/${path}`, body });
  } catch (error) {
    if (!(error instanceof ProblemError && error.status === 409)) throw error;
    const advice = await adviseOnGrace(session, { id, path });
    throw advice === undefined ? error : adviseOn(error, advice);
  }
}

/** `undefined` where the key cannot be asked for, or it was something else that refused. */
async function adviseOnGrace(
  { client }: Session,
  { id, path }: Omit<Rotation, 'body'>,
): Promise<string | undefined> {
  const isKey = path === 'rotate';
  const key = await client.send({ method: 'GET', path: pathOfKey(id) }).catch(() => undefined);
  const versions = withStates(objectsOf(memberAt(key, isKey ? 'versions' : 'signing.secrets')));
  const kept = versions.find(({ state }) => state === 'in grace');
  if (kept === undefined || typeof key?.['revoked_at'] === 'string') return undefined;
  const [number, end] = valuesOf(kept, 'version', 'expires_at');
  const lastUsed = kept['last_used_at'];
  const use = typeof lastUsed === 'string' ? `was last used at ${showValue(lastUsed)}` : 'was never used';
  const endCommand = `keyfold keys end-version ${id}`;
  const current = versions.find(({ state }) => state === 'current');
  const advice = [
    `Version ${number} ${use}. Wait until ${end}${isKey ? `, or end it now: ${endCommand} ${number}` : ''}.`,
    'Or rotate with --grace-s 0, which ends all that was before.',
    // An answer that got lost: nobody is cut off where the new version is ended in place of the old one.
    ...(isKey && current?.['uses'] === 0
      ? [
          `If version ${showValue(current['version'])} got lost: ${endCommand} ${showValue(current['version'])}.`,
        ]
      : []),
  ];
  return escapeUnsafe(advice.join(' '));
}

function describeRotation(answer: JsonObject): string {
  const [key, version, end] = valuesOf(answer, 'key_id', 'version', 'expires_at');
  const before = isOver(answer['previous_expires_at'])
    ? 'what was before it has ended'
    : `the one before it works until ${showValue(answer['previous_expires_at'])}`;
  const renewal = answer['expires_at'] ? ` It ends by itself at ${end}, unless it is renewed.` : '';
  return `Key ${key} has version ${version}; ${before} (rotation ${showValue(answer['rotation_id'])}).${renewal}`;
}

function describeSigningRotation(answer: JsonObject): string {
  const [key, version, rotation] = valuesOf(answer, 'key_id', 'version', 'rotation_id');
  const what = answer['signing_secret'] === undefined ? 'public key' : 'signing secret';
  const before = isOver(answer['previous_expires_at'])
    ? 'what was before it has ended'
    : `the one before it is accepted until ${showValue(answer['previous_expires_at'])}`;
  return `Key ${key} has version ${version} of its ${what}; ${before} (rotation ${rotation}).`;
}

function describeEnd(key: JsonObject, of: EndOptions & { readonly version: number }): string {
  const all = of.signingSecret === true ? memberAt(key, 'signing.secrets') : key['versions'];
  const version = objectsOf(all).find((each) => each['version'] === of.version);
  const end = of.graceS === 0 ? 'has ended' : `works until ${showValue(version?.['expires_at'])}`;
  const what = of.signingSecret === true ? 'Signing secret' : 'Version';
  return escapeUnsafe(`${what} ${of.version} of ${showValue(key['id'])} ${end}.`) + '\n';
}

function valuesOf(answer: JsonObject, ...names: readonly string[]): readonly string[] {
  return names.map((name) => showValue(answer[name]));
}
