import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { BadRequestError } from 'openai';
import { type OpenAiEndpoints, startOpenAiEndpoints } from '../stand-ins/openai-endpoints.ts';
import { addOpenAi } from './openai-support.ts';
import {
  type IssuedKey,
  assertNothingHeld,
  assertRefused,
  callsOf,
  describeGateway,
  issueKey,
  onlyCall,
} from './support.ts';

const LISTENER = 'gpt-transcribe-stand-in';
const LISTENER_PRICE = {
  mode: 'transcription',
  input_usd_per_million: '2.5',
  audio_input_usd_per_million: '6',
  output_usd_per_million: '10',
  context_tokens: 16_000,
  output_tokens_max: 2_000,
};
const TEXT_PRICE = { input_usd_per_million: '1', output_usd_per_million: '10' };

describeGateway('recordings', { kinds: ['sqlite'] }, (gateway) => {
  let vendor: OpenAiEndpoints | undefined;
  const standIn = () => vendor ?? assert.fail('the stand-in has not started');
  before(async () => {
    vendor = await startOpenAiEndpoints();
    await addOpenAi(gateway(), vendor.url, {
      [LISTENER]: LISTENER_PRICE,
      'by-the-piece': undefined,
      'text-alone': TEXT_PRICE,
    });
  });
  after(() => vendor?.[Symbol.asyncDispose]());

  const client = (key: IssuedKey) =>
    new OpenAI({ apiKey: key.secret, baseURL: `${gateway().keyfold.url}/v1`, maxRetries: 0 });

  const listeners = { permissions: ['audio'], budgets: { total_usd: '2' } };
  const SOUND = Buffer.from([0, 13, 10, 45, 45, 255, 13, 10, 13, 10]);
  const sound = () => new File([new Uint8Array(SOUND)], 'Grüße "1".wav', { type: 'audio/wav' });
  /** As `Transcription.Tokens` in OpenAI's own client has it. */
  const usage = {
    type: 'tokens',
    input_tokens: 40,
    input_token_details: { text_tokens: 10, audio_tokens: 30 },
    output_tokens: 7,
    total_tokens: 47,
  };
  /** 10 × 2500 + 30 × 6000 + 7 × 10 000 nano-dollars. */
  const COST = '0.000275';

  const sendForm = (key: IssuedKey, form: FormSent) =>
    fetch(`${gateway().keyfold.url}/v1/audio/transcriptions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key.secret}`, 'content-type': form.contentType },
      body: new Uint8Array(form.body),
    });

  test('are written down, and their tokens are charged as audio', async () => {
    const key = await issueKey(gateway(), listeners);
    standIn().say({ body: { text: 'Hello — 言葉.', usage } });
    const { data, response } = await client(key)
      .audio.transcriptions.create({
        file: sound(),
        model: LISTENER,
        language: 'de',
        timestamp_granularities: ['word', 'segment'],
      })
      .withResponse();
    assert.equal(data.text, 'Hello — 言葉.');
    assert.equal(response.headers.get('x-keyfold-cost-usd'), COST);
    const { body } = standIn().heard.at(-1) ?? assert.fail();
    assert.deepEqual(body, {
      file: [SOUND],
      model: [LISTENER],
      language: ['de'],
      'timestamp_granularities[]': ['word', 'segment'],
    });
    const call = await onlyCall(gateway(), key);
    assert.deepEqual(
      [call['endpoint'], call['cost_usd'], call['provenance'], call['flags']],
      ['audio.transcriptions', COST, 'provider', []],
    );
    assert.deepEqual([call['input_tokens'], call['audio_input_tokens']], [10, 30]);
    // The model's context × 6000 and its longest output × 10 000 nano-dollars.
    assert.equal(Number(call['held_usd']), (16_000 * 6_000 + 2_000 * 10_000) / 1e9);
    await assertNothingHeld(gateway(), key);
  });

  test('pass byte for byte, unknown fields and all, but for the name of a model that has another', async () => {
    const key = await issueKey(gateway(), listeners);
    const send = async (model: string) => {
      standIn().say({ body: { text: 'x', usage } });
      const form = formOf({ x_new_field: 'é', model });
      const sent = await sendForm(key, form);
      assert.equal(sent.status, 200, await sent.text());
      return { sent: form.body, got: standIn().heard.at(-1) ?? assert.fail() };
    };
    const same = await send(LISTENER);
    assert.deepEqual(same.got.raw, same.sent);
    const named = await send(`openai/${LISTENER}`);
    assert.equal(named.got.raw.toString('latin1'), named.sent.toString('latin1').replace('openai/', ''));
  });

  test('are streamed as they are written down', async () => {
    const key = await issueKey(gateway(), listeners);
    const stream =
      'event: transcript.text.delta\ndata: {"type":"transcript.text.delta","delta":"Hi"}\n\n' +
      `data: ${JSON.stringify({ type: 'transcript.text.done', text: 'Hi', usage })}\n\n`;
    standIn().say({ contentType: 'text/event-stream', body: stream });
    const events = await client(key).audio.transcriptions.create({
      file: sound(),
      model: LISTENER,
      stream: true,
    });
    const types: string[] = [];
    for await (const event of events) types.push(event.type);
    assert.deepEqual(types, ['transcript.text.delta', 'transcript.text.done']);
    const call = await onlyCall(gateway(), key);
    assert.deepEqual([call['streamed'], call['cost_usd'], call['flags']], [true, COST, []]);
  });

  test('are translated, also into subtitles, which have no place for a usage', async () => {
    const key = await issueKey(gateway(), listeners);
    const subtitles = 'WEBVTT\n\n00:00.000 --> 00:01.000\nHello.\n';
    standIn().say({ contentType: 'text/vtt', body: subtitles });
    const text = await client(key).audio.translations.create({
      file: sound(),
      model: LISTENER,
      response_format: 'vtt',
    });
    assert.equal(text, subtitles);
    const call = await onlyCall(gateway(), key);
    assert.deepEqual(
      [call['endpoint'], call['flags']],
      ['audio.translations', ['usage_missing', 'estimated']],
    );
    assert.equal(call['cost_usd'], call['held_usd']);
  });

  test('that are cut into pieces, in whatever way that is said, are held beyond the context of the model', async () => {
    const key = await issueKey(gateway(), listeners);
    for (const [strategy, sent] of [
      ['auto', 'chunking_strategy'],
      [{ type: 'server_vad', threshold: 0.5 }, 'chunking_strategy[type]'],
    ] as const) {
      standIn().say({ body: { text: 'x', usage } });
      const ask = { file: sound(), model: LISTENER, chunking_strategy: strategy };
      await client(key).audio.transcriptions.create(ask);
      const { body } = standIn().heard.at(-1) ?? assert.fail();
      assert.ok(sent in (body as object), JSON.stringify(body));
    }
    for (const row of await callsOf(gateway(), key)) {
      const held = Number(row['held_usd']);
      assert.ok(held > (50_000 * 6_000 + 50_000 * 10_000) / 1e9, String(held));
    }
  });

  test('for models that are priced by the minute, or as text alone, are refused under a budget', async () => {
    const key = await issueKey(gateway(), listeners);
    const before = standIn().heard.length;
    for (const model of ['by-the-piece', 'text-alone']) {
      const asked = client(key).audio.transcriptions.create({ file: sound(), model });
      await assert.rejects(asked, (error) => {
        assert.ok(error instanceof BadRequestError);
        return error.code === 'model_unpriced' && error.param === 'model';
      });
    }
    assert.equal(standIn().heard.length, before);
    const free = await issueKey(gateway(), { permissions: ['audio'] });
    standIn().say({ body: { text: 'x', usage: { type: 'duration', seconds: 7 } } });
    await client(free).audio.transcriptions.create({ file: sound(), model: 'by-the-piece' });
    assert.deepEqual((await onlyCall(gateway(), free))['cost_usd'], '0.00');
  });

  const plain = formOf({ model: LISTENER });
  const disposition = 'Content-Disposition: form-data; name=';
  const wrongForms: readonly [string, FormSent, string | null][] = [
    ['without a model', formOf({}), 'model'],
    ['with two models', formOf({ model: LISTENER }, `${disposition}"model"\r\n\r\nother`), 'model'],
    ['with a file for a model', formOf({}, `${disposition}"model"; filename="m"\r\n\r\nm`), 'model'],
    ['with an invisible letter in its model', formOf({ model: 'a\u200bb' }), 'model'],
    [
      'with two recordings',
      formOf({ model: LISTENER }, `${disposition}"file"; filename="a"\r\n\r\nx`),
      'file',
    ],
    [
      'with a recording and a part of one',
      formOf({ model: LISTENER }, `${disposition}"file[0]"; filename="a"\r\n\r\nx`),
      'file',
    ],
    [
      'that is cut into pieces in two ways',
      formOf({ model: LISTENER, chunking_strategy: 'auto', 'chunking_strategy[type]': 'server_vad' }),
      'chunking_strategy',
    ],
    [
      'that says twice how it is cut into pieces',
      formOf(
        { model: LISTENER, 'chunking_strategy[type]': 'server_vad' },
        `${disposition}"chunking_strategy[type]"\r\n\r\nauto`,
      ),
      'chunking_strategy',
    ],
    [
      'without a recording',
      { ...plain, body: Buffer.from(plain.body.toString('latin1').replace('"file"', '"fill"'), 'latin1') },
      'file',
    ],
    ['that streams as it pleases', formOf({ model: LISTENER, stream: 'maybe' }), 'stream'],
    ['of another boundary', { ...plain, contentType: 'multipart/form-data; boundary=other' }, null],
    ['without a boundary', { ...plain, contentType: 'multipart/form-data' }, 'content-type'],
    ['sent as JSON', { body: Buffer.from('{"model":"m"}'), contentType: 'application/json' }, 'content-type'],
    ['without an end', { ...plain, body: plain.body.subarray(0, plain.body.length - 10) }, null],
    [
      'of too many parts',
      formOf(Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`f${index}`, 'x']))),
      null,
    ],
  ];
  for (const [what, form, param] of wrongForms) {
    test(`a form ${what} is refused, and reaches nobody`, async () => {
      const key = await issueKey(gateway(), listeners);
      const before = standIn().heard.length;
      const sent = await sendForm(key, form);
      const answer = await sent.text();
      const body = JSON.parse(answer) as Record<string, unknown>;
      assertRefused(
        { status: sent.status, text: answer, body },
        { status: 400, code: 'invalid_request', param },
      );
      assert.equal(standIn().heard.length, before);
    });
  }

  test('are answered by the sandbox', async () => {
    const key = await issueKey(gateway(), { kind: 'test', permissions: ['audio'] });
    const heard = await client(key).audio.transcriptions.create({ file: sound(), model: 'any' });
    assert.equal(heard.text, `The sandbox heard ${SOUND.length} bytes.`);
    const translated = await client(key).audio.translations.create({
      file: sound(),
      model: 'any',
      response_format: 'text',
    });
    assert.equal(translated, heard.text);
  });
});

interface FormSent {
  readonly body: Buffer;
  readonly contentType: string;
}

/** A form with these fields and a recording, written by hand; `more` is the head and content of one more part. */
function formOf(fields: Readonly<Record<string, string>>, more?: string): FormSent {
  const parts = Object.entries(fields).map(
    ([name, value]) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`,
  );
  if (more !== undefined) parts.push(more);
  parts.push('Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF');
  const body = parts.map((part) => `--b0undary\r\n${part}\r\n`).join('');
  return {
    body: Buffer.from(`${body}--b0undary--\r\n`),
    contentType: 'multipart/form-data; boundary=b0undary',
  };
}
