/** What is told of a secret that was found: where it is, and how to recognise it, but never the secret. */
import { createHash } from 'node:crypto';
import { type Match, TextScanner } from './text-scanner.ts';

export interface Commit {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly committedAt: string;
}

export interface Place {
  /** As it is shown: relative to where the command runs, or in history to the top of the repository. */
  readonly path: string;
  /** The commit that brought it in. */
  readonly commit?: Commit;
}

export interface Finding extends Place {
  readonly rule: Match['rule'];
  /** Its prefix, first four and last four characters. */
  readonly secret: string;
  /** The same wherever the same secret is found. */
  readonly fingerprint: string;
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
}

const SHOWN_CHARACTERS = 4;
const FINGERPRINT_CHARACTERS = 16;

export function toFinding(place: Place, match: Match): Finding {
  const { rule, line, column, endColumn } = match;
  return {
    ...place,
    path: redactSecrets(place.path),
    rule,
    secret: displayMatch(match),
    fingerprint: fingerprintOf(match),
    line,
    column,
    endColumn,
  };
}

/** The first 16 characters of SHA-256, in hex, of rule and secret with a colon between. */
export function fingerprintOf({ rule, secret }: Pick<Match, 'rule' | 'secret'>): string {
  return createHash('sha256').update(`${rule.id}:${secret}`).digest('hex').slice(0, FINGERPRINT_CHARACTERS);
}

/** Names of files are shown, and may be made of a secret, too. */
export function redactSecrets(text: string): string {
  const scanner = new TextScanner();
  scanner.write(Buffer.from(text));
  return scanner.end().reduce((shown, match) => shown.replaceAll(match.secret, displayMatch(match)), text);
}

function displayMatch({ secret, prefixLength }: Match): string {
  return `${secret.slice(0, prefixLength + SHOWN_CHARACTERS)}…${secret.slice(-SHOWN_CHARACTERS)}`;
}
