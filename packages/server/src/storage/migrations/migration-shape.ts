/** What a migration is: named statements that one dialect executes. */
import type { Compilable, Kysely } from 'kysely';

export interface Migration {
  readonly name: string;
  statements(db: Kysely<unknown>, dialect: 'sqlite' | 'postgres'): readonly Compilable[];
}
