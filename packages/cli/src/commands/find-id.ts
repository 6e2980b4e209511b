/** Finds the id of what people call by its name: credentials and routes, whose names are taken once. */
import { CommandFailure, EXIT } from '../exit-code.ts';
import { objectsOf, textOf } from '../remote/json.ts';
import type { Session } from '../remote/session.ts';

export interface Noun {
  /** `credential`, as in `keyfold credentials list`. */
  readonly name: string;
  /** The command that lists them, where it is not made of the name. */
  readonly listedBy?: string;
  readonly path: string;
  /** What its ids begin with; what does not is a name. */
  readonly idPrefix: string;
}

/** The API's largest page. */
const PAGE_ROWS = '100';
/** As many as an organization may well have, by far. */
const PAGES_MAX = 100;

/** Throws `CommandFailure` where there is none. What was written is not repeated: it may be a secret by mistake. */
export async function findId(session: Session, noun: Noun, idOrName: string): Promise<string> {
  if (idOrName.startsWith(noun.idPrefix)) return idOrName;
  let after: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await session.client.send({
      method: 'GET',
      path: noun.path,
      query: { limit: PAGE_ROWS, after },
    });
    const found = objectsOf(answer['data']).find(({ name }) => name === idOrName);
    const id = textOf(found?.['id']);
    if (id !== undefined) return id;
    after = textOf(answer['last_id']);
    if (answer['has_more'] !== true || after === undefined) break;
  }
  throw new CommandFailure(EXIT.notFound, `There is no ${noun.name} of that name.`, {
    advice: `${noun.listedBy ?? `keyfold ${noun.name}s list`} shows their names and ids.`,
  });
}

/** Where the one is that is called so. */
export async function findPath(session: Session, noun: Noun, idOrName: string): Promise<string> {
  return `${noun.path}/${encodeURIComponent(await findId(session, noun, idOrName))}`;
}
