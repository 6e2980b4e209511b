/** The questions whose answers must come fast, however many calls there are: reports of a month, and pages of every kind. */
import assert from 'node:assert/strict';
import { MODELS } from './fill-calls.ts';
import { DAYS, type FilledKeyfold, START_MS } from './filled-keyfold.ts';

export interface Question {
  readonly name: string;
  readonly path: string;
  /** What the answer has at least, since nothing is found fastest. */
  readonly rowsMin: number;
}

export interface Answered {
  readonly fastestMs: number;
  readonly medianMs: number;
  readonly worstMs: number;
  /** Processor time of this process for one answer, client and server together: what a busy machine does not change. */
  readonly processorMs: number;
}

const DAY_MS = 86_400_000;
const MONTH = `from=${time(START_MS)}&to=${time(START_MS + DAYS * DAY_MS)}`;

export const USAGE_QUESTIONS: readonly Question[] = [
  { name: 'usage by key and day', path: `/v1/usage?group_by=key,day&${MONTH}`, rowsMin: DAYS },
  {
    name: 'usage by key and day, from and to within an hour',
    path: `/v1/usage?group_by=key,day&from=${time(START_MS + 37_500_123)}&to=${time(START_MS + (DAYS - 1) * DAY_MS + 12_345_678)}`,
    rowsMin: DAYS,
  },
  { name: 'usage by credential and month', path: `/v1/usage?group_by=credential,month&${MONTH}`, rowsMin: 4 },
];

/** Every filter, at the newest end, from the middle on, and back from the middle. */
export async function pageQuestions({ ask, filled }: FilledKeyfold): Promise<Question[]> {
  const { body } = await ask(`/v1/calls?limit=1&to=${time(START_MS + (DAYS / 2) * DAY_MS)}`);
  const middle = body.last_id;
  const [call] = body.data;
  assert.ok(call);
  const filters = {
    'all calls': '',
    'of a busy key': `&key_id=${filled.keyIds[0]}`,
    'of a key with few calls': `&key_id=${filled.quietKeyId}`,
    'of a model': `&model=${MODELS[0][1]}`,
    'of a model that nobody called': '&model=none',
    'of a provider': '&provider=deepseek',
    'of a project': `&project_id=${filled.projectIds[3]}`,
    'of a credential': `&credential_id=${String(call['credential_id'])}`,
    'of a key and a model': `&key_id=${filled.keyIds[1]}&model=${MODELS[4][1]}`,
    'of three days': `&from=${time(START_MS + 10 * DAY_MS)}&to=${time(START_MS + 13 * DAY_MS)}`,
    'of a request': `&request_id=${String(call['request_id'])}`,
  };
  const places = {
    newest: '',
    'from the middle on': `&after=${middle}`,
    'back from the middle': `&before=${middle}`,
  };
  return Object.entries(filters).flatMap(([name, filter]) =>
    Object.entries(places).map(([place, cursor]) => ({
      name: `a page ${name}, ${place}`,
      path: `/v1/calls?limit=100${filter}${cursor}`,
      rowsMin: 0,
    })),
  );
}

/** Asks once to warm up, and then so many times. */
export async function answer(keyfold: FilledKeyfold, question: Question, times: number): Promise<Answered> {
  const { body } = await keyfold.ask(question.path);
  assert.ok(body.data.length >= question.rowsMin, `${question.name} has ${body.data.length} rows`);
  const took: number[] = [];
  const before = process.cpuUsage();
  for (let time = 0; time < times; time++) took.push((await keyfold.ask(question.path)).ms);
  const { user, system } = process.cpuUsage(before);
  took.sort((a, b) => a - b);
  return {
    fastestMs: took[0] ?? Infinity,
    medianMs: took[Math.floor(times / 2)] ?? Infinity,
    worstMs: took.at(-1) ?? Infinity,
    processorMs: (user + system) / 1_000 / times,
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
