/**
 * Who called what, and through what: stored once for all calls that have it in common (`call_sources`), so that a call says
 * it with one number. The row is written in the commit of the first call that needs it, and never changes.
 */
import { hash } from 'node:crypto';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { CallFacts } from './reservation.ts';

/** Sources that a process remembers; of one that it has forgotten it writes the row again, which changes nothing. */
const REMEMBERED_MAX = 10_000;
/** 128 bits of base64url. */
const DIGEST_CHARACTERS = 22;

interface Remembered {
  readonly digest: string;
  isDurable: boolean;
}

/** A call's source, with what must be written before a call can refer to it. */
export interface NamedSource {
  /** By which the database finds its number. */
  readonly digest: string;
  readonly steps: readonly SqlStep[];
  /** To be called when the steps are on disk. */
  readonly onDurable: () => void;
  /** To be called when it is not known what became of them, or when the row was not found. */
  readonly onDoubt: () => void;
}

export class CallSources {
  readonly #insert: (values: SourceValues & { readonly digest: string }) => SqlStep;
  readonly #remembered = new Map<string, Remembered>();

  constructor({ prepare }: Database) {
    this.#insert = prepare<SourceValues & { readonly digest: string }>((db, param) =>
      db
        .insertInto('call_sources')
        .values({
          digest: param('digest'),
          organization_id: param('organization_id'),
          project_id: param('project_id'),
          key_id: param('key_id'),
          endpoint: param('endpoint'),
          provider: param('provider'),
          model: param('model'),
          credential_id: param('credential_id'),
          route: param('route'),
          parent_id: param('parent_id'),
        })
        .onConflict((conflict) => conflict.column('digest').doNothing()),
    );
  }

  name(call: CallFacts): NamedSource {
    const values = valuesOf(call);
    const text = JSON.stringify(Object.values(values));
    const source = this.#remember(text);
    const { digest } = source;
    return {
      digest,
      // Two processes may meet a new source at once: they insert theirs in the order of the digests.
      steps: source.isDurable ? [] : [{ ...this.#insert({ digest, ...values }), ahead: digest }],
      onDurable: () => void (source.isDurable = true),
      onDoubt: () => void (source.isDurable = false),
    };
  }

  #remember(text: string): Remembered {
    const known = this.#remembered.get(text);
    if (known !== undefined) return known;
    const digest = hash('sha256', text, 'base64url').slice(0, DIGEST_CHARACTERS);
    const source = { digest, isDurable: false };
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(text, source);
    return source;
  }
}

type SourceValues = ReturnType<typeof valuesOf>;

function valuesOf(call: CallFacts) {
  return {
    organization_id: call.organizationId as string,
    project_id: call.projectId as string,
    key_id: call.keyId as string,
    endpoint: call.endpoint,
    provider: call.provider,
    model: call.model,
    credential_id: call.credentialId ?? null,
    route: call.route ?? null,
    parent_id: call.parentId ?? null,
  };
}
