/** Which project a record is about: it names keys, and each key is in a project for as long as it lives. */
import { ID_PREFIXES } from '@keyfold/protocol';
import type { DatabaseReader } from '../../storage/reader.ts';
import { type FoundEvent, keysIn } from './found-event.ts';
import type { StoredEvent } from '../stored-event.ts';

const KEYS_KNOWN_MAX = 20_000;
const KEYS_PER_QUERY_MAX = 500;
const PROJECT_ID = new RegExp(`^${ID_PREFIXES.project}_`);

export class Projects {
  readonly #reader: DatabaseReader;
  /** `undefined` for a key that is no more. */
  readonly #projectOf = new Map<string, string | undefined>();

  constructor(reader: DatabaseReader) {
    this.#reader = reader;
  }

  async find(events: readonly StoredEvent[]): Promise<FoundEvent[]> {
    const keys = events.map((event) => keysIn(event));
    await this.load(keys.flat());
    return events.map((event, index) => ({ ...event, projects: this.#projectsOf(event, keys[index] ?? []) }));
  }

  /** Of a key that was loaded. */
  of(key: string): string | undefined {
    return this.#projectOf.get(key);
  }

  async load(keys: Iterable<string>): Promise<void> {
    const unknown = new Set<string>();
    for (const key of keys) if (!this.#projectOf.has(key)) unknown.add(key);
    if (unknown.size === 0) return;
    if (this.#projectOf.size + unknown.size > KEYS_KNOWN_MAX) this.#projectOf.clear();
    const ids = [...unknown];
    for (let at = 0; at < ids.length; at += KEYS_PER_QUERY_MAX) {
      const page = ids.slice(at, at + KEYS_PER_QUERY_MAX);
      const rows = await this.#reader.read((db) =>
        db.selectFrom('keys').select(['id', 'project_id']).where('id', 'in', page),
      );
      for (const id of page) this.#projectOf.set(id, undefined);
      for (const { id, project_id: project } of rows) this.#projectOf.set(id, project);
    }
  }

  #projectsOf({ target }: StoredEvent, keys: readonly string[]): string[] {
    const projects = new Set<string>();
    for (const key of keys) {
      const project = this.of(key);
      if (project !== undefined) projects.add(project);
    }
    if (PROJECT_ID.test(target)) projects.add(target);
    return [...projects];
  }
}
