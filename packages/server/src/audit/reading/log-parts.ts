/** What reading the log takes, for whoever follows or searches it. */
import type { EventReader } from './event-reader.ts';
import type { Projects } from './projects.ts';
import type { RecordSource } from './record-source.ts';

export interface LogParts {
  readonly source: RecordSource;
  readonly projects: Projects;
  readonly reader: EventReader;
}
