/** Test support: the features of the matrix. Each is a conversation whose every step is checked on both of its sides. */
import assert from 'node:assert/strict';
import type { Heard, Saying } from '../../stand-ins/vendor.ts';
import {
  BUDGET,
  type Client,
  type ClientKind,
  IMAGE,
  IMAGE_URL,
  SCHEMA,
  type Told,
  WEATHER,
} from './client.ts';
import { type RunningVendor, costNanos } from './vendors.ts';

export interface Cell {
  readonly kind: ClientKind;
  readonly client: Client;
  readonly vendor: RunningVendor;
}

export interface Outcome {
  /** What the table says of it. */
  readonly says: string;
  /** What the ledger must say of all calls together. */
  readonly costNanos: number;
}

export interface Feature {
  readonly name: string;
  run(cell: Cell): Promise<Outcome>;
}

type Said = Omit<Saying, 'tokens'>;

/** Every character of it must come through, wherever streams are cut. */
const TEXT = 'Grüezi from 世界 🌍, "quoted"\n\tand \\ on.';
const HELLO = { prompt: 'Say héllo: 世界 🌍.' };
const SYSTEM = 'Be terse. 簡潔に。';
const BERN = { name: WEATHER.name, args: { city: 'Bern "BE"\n' } };
const ROME = { name: WEATHER.name, args: { city: 'Roma 🏛' } };

export const FEATURES: readonly Feature[] = [
  { name: 'text', run: (cell) => say(cell, false) },
  { name: 'text, streamed', run: (cell) => say(cell, true) },
  { name: 'the limit on output', run: reachLimit },
  { name: 'stop sequences', run: stopAtSequence },
  { name: 'two tools at once, and their results', run: (cell) => callTools(cell, false) },
  { name: 'tools, streamed', run: (cell) => callTools(cell, true) },
  { name: 'structured output', run: followSchema },
  { name: 'an image in the request', run: (cell) => look(cell, 'inline') },
  { name: 'an image by its address', run: (cell) => look(cell, 'address') },
  { name: 'reasoning by effort', run: (cell) => reason(cell, { reasoning: 'effort', streamed: false }) },
  {
    name: 'reasoning by effort, streamed',
    run: (cell) => reason(cell, { reasoning: 'effort', streamed: true }),
  },
  { name: 'a budget of reasoning', run: (cell) => reason(cell, { reasoning: 'budget', streamed: false }) },
  { name: 'embeddings', run: embed },
  { name: 'counted tokens', run: countTokens },
];

export const YES = 'yes';

async function say(cell: Cell, streamed: boolean): Promise<Outcome> {
  script(cell, { text: TEXT });
  const told = await ask(cell, { ...HELLO, system: SYSTEM, streamed });
  checkTold(cell, told, { text: TEXT, stop: 'end' });
  const heard = lastHeard(cell, streamed);
  assert.equal(heard.system, SYSTEM);
  assert.deepEqual(heard.turns, [`user: ${HELLO.prompt}`]);
  return outcomeOf(cell, 1);
}

async function reachLimit(cell: Cell): Promise<Outcome> {
  script(cell, { text: TEXT, stop: 'length' });
  checkTold(cell, await ask(cell, { ...HELLO, limit: 77 }), { text: TEXT, stop: 'length' });
  assert.equal(lastHeard(cell).settings['limit'], 77);
  return outcomeOf(cell, 1);
}

async function stopAtSequence(cell: Cell): Promise<Outcome> {
  script(cell, { text: TEXT, stop: { sequence: 'END' } });
  const told = await ask(cell, { ...HELLO, stop: 'END' });
  checkTold(cell, told, { text: TEXT, stop: cell.vendor.tellsSequence ? 'sequence' : 'end' });
  assert.deepEqual(lastHeard(cell).settings['stop'], ['END']);
  return outcomeOf(cell, 1);
}

async function callTools(cell: Cell, streamed: boolean): Promise<Outcome> {
  script(cell, { text: 'Let me look.', calls: [BERN, ROME] }, { text: TEXT });
  const called = await ask(cell, { ...HELLO, hasTool: true, streamed });
  checkTold(cell, called, { text: 'Let me look.', stop: 'calls' });
  assert.deepEqual(called.calls, [BERN, ROME]);
  assert.deepEqual(lastHeard(cell, streamed).tools, [WEATHER.name]);
  checkTold(cell, await called.answer('sunny ☀', 'rainy'), { text: TEXT, stop: 'end' });
  assert.deepEqual(lastHeard(cell, streamed).turns, [
    `user: ${HELLO.prompt}`,
    'assistant: Let me look.',
    ...[BERN, ROME].map(({ name, args }) => `assistant: call ${name} ${JSON.stringify(args)}`),
    ...['sunny ☀', 'rainy'].map((result) => `result ${WEATHER.name}: ${cell.kind.resultText(result)}`),
  ]);
  return outcomeOf(cell, 2);
}

async function followSchema(cell: Cell): Promise<Outcome> {
  const text = JSON.stringify({ city: 'Zürich', population: 433_989 });
  script(cell, { text });
  checkTold(cell, await ask(cell, { ...HELLO, hasSchema: true }), { text, stop: 'end' });
  const { schema } = lastHeard(cell).settings as { readonly schema: typeof SCHEMA };
  // Some clients and vendors write what is not about the answer's form differently.
  assert.deepEqual(Object.keys(schema.properties), Object.keys(SCHEMA.properties));
  assert.deepEqual(schema.required, SCHEMA.required);
  return outcomeOf(cell, 1);
}

async function look(cell: Cell, image: 'inline' | 'address'): Promise<Outcome> {
  script(cell, { text: TEXT });
  checkTold(cell, await ask(cell, { ...HELLO, image }), { text: TEXT, stop: 'end' });
  const seen = image === 'inline' ? `image/png ${IMAGE}` : IMAGE_URL;
  assert.deepEqual(lastHeard(cell).turns, [`user: ${HELLO.prompt} [${seen}]`]);
  return outcomeOf(cell, 1);
}

async function reason(
  cell: Cell,
  how: { readonly reasoning: 'effort' | 'budget'; readonly streamed: boolean },
): Promise<Outcome> {
  const thought = { reasoning: 'One city, 一つ.\nLook it up.', text: 'Let me look.', calls: [BERN] };
  script(cell, thought, { text: TEXT });
  const called = await ask(cell, { ...HELLO, ...how, hasTool: true });
  checkTold(cell, called, { text: 'Let me look.', stop: 'calls' });
  assert.deepEqual(called.calls, [BERN]);
  assert.ok(called.reasoning === '' || called.reasoning === thought.reasoning, called.reasoning);
  const { effort, budget } = lastHeard(cell, how.streamed).settings;
  if (how.reasoning === 'effort') assert.match(String(effort), /^medium$/i);
  else assert.equal(budget, BUDGET);
  checkTold(cell, await called.answer('sunny'), { text: TEXT, stop: 'end' });
  const isShown = called.reasoning !== '' ? 'shown' : 'not shown';
  const { signaturesBack } = lastHeard(cell, how.streamed);
  return { ...outcomeOf(cell, 2), says: signaturesBack > 0 ? `${isShown}, given back` : isShown };
}

async function embed({ client, vendor }: Cell): Promise<Outcome> {
  vendor.standIn.say({ tokens: vendor.tokens });
  assert.ok(client.embed);
  const vectors = await client.embed(vendor.model, ['one', 'two']);
  assert.deepEqual(vectors, [
    [0.25, -0.5],
    [0.25, -0.5],
  ]);
  assert.deepEqual(vendor.standIn.heard.at(-1)?.turns, ['one', 'two']);
  return { says: YES, costNanos: vendor.tokens.input * 1_000 };
}

async function countTokens({ client, vendor }: Cell): Promise<Outcome> {
  vendor.standIn.say({ tokens: vendor.tokens });
  assert.ok(client.countTokens);
  assert.equal(await client.countTokens(vendor.model, HELLO.prompt), vendor.tokens.input);
  assert.deepEqual(vendor.standIn.heard.at(-1)?.turns, [`user: ${HELLO.prompt}`]);
  return { says: YES, costNanos: 0 };
}

function script({ vendor }: Cell, ...said: readonly Said[]): void {
  vendor.standIn.say(...said.map((saying) => ({ ...saying, tokens: vendor.tokens })));
}

function ask({ client, vendor }: Cell, of: Omit<Parameters<Client['ask']>[0], 'model'>): Promise<Told> {
  return client.ask({ model: vendor.model, ...of });
}

function checkTold(
  { kind, vendor }: Cell,
  told: Told,
  expected: { readonly text: string; readonly stop: keyof ClientKind['stopWords'] },
): void {
  assert.equal(told.text, expected.text);
  assert.equal(told.stop, kind.stopWords[expected.stop]);
  assert.deepEqual(told.tokens, kind.fold(vendor.tokens));
}

function lastHeard({ vendor }: Cell, streamed = false): Heard {
  const heard = vendor.standIn.heard.at(-1);
  assert.ok(heard);
  assert.equal(heard.streamed, streamed);
  return heard;
}

function outcomeOf({ vendor }: Cell, calls: number): Outcome {
  return { says: YES, costNanos: calls * costNanos(vendor.tokens) };
}
