/** How a key signs, as options of `keys create` and `keys update`, and as the policy that the API takes. */
import { SIGNING_VERSIONS } from '@keyfold/protocol';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { NONE, collectList, compact, orNone } from '../option-value.ts';

export interface SigningOptions {
  /** `none` ends signing. */
  readonly signing?: readonly string[] | typeof NONE;
  readonly signingOptional?: true;
  readonly publicKey?: string;
}

type Body = Readonly<Record<string, unknown>>;

/** The only version that goes with a public key. */
const ED25519_VERSION = 'rfc9421';

export function addSigningOptions(command: Command, mode: 'create' | 'update'): Command {
  const accepted = `its requests must be signed, by one of these versions: ${SIGNING_VERSIONS.join(', ')}`;
  const signing =
    mode === 'update'
      ? new Option('--signing <versions>', `${accepted} (${NONE}: no longer)`).argParser(
          orNone(collectVersions),
        )
      : new Option('--signing <versions>', accepted).argParser(collectVersions);
  return command
    .addOption(signing)
    .option('--signing-optional', 'what is not signed is accepted, too')
    .option('--public-key <base64>', 'it signs with Ed25519, by rfc9421; the 32 bytes of its public key');
}

/** `undefined` where nothing was said of signing, `null` to end it. Throws `CommandFailure` for what excludes itself. */
export function toSigning({ signing, signingOptional, publicKey }: SigningOptions): Body | null | undefined {
  if (signing === NONE) {
    if (signingOptional !== true && publicKey === undefined) return null;
    throw new CommandFailure(
      EXIT.usage,
      `--signing ${NONE} ends signing: there is nothing else to say of it.`,
    );
  }
  if (publicKey !== undefined && signing?.some((version) => version !== ED25519_VERSION) === true) {
    throw new CommandFailure(EXIT.usage, `A public key goes with --signing ${ED25519_VERSION} alone.`, {
      advice: 'Leave --signing out, or --public-key for a secret that both sides have.',
    });
  }
  if (signing === undefined && signingOptional === undefined && publicKey === undefined) return undefined;
  return compact({
    required: signingOptional !== true,
    versions: publicKey === undefined ? signing : [ED25519_VERSION],
    ...(publicKey === undefined ? {} : { algorithm: 'ed25519', public_key: publicKey }),
  });
}

function collectVersions(text: string, previous: readonly string[] | undefined): readonly string[] {
  const versions = collectList(text, previous);
  if (versions.every((version) => (SIGNING_VERSIONS as readonly string[]).includes(version))) return versions;
  throw new InvalidArgumentError(`It must be of ${SIGNING_VERSIONS.join(', ')}, by commas.`);
}
