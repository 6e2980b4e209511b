/**
 * Responsible for reading a request to Anthropic's Messages API into the neutral form. Shapes and limits are those of its
 * reference ("Create a Message", platform.claude.com) and of the types of `@anthropic-ai/sdk`.
 */
import type { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, Setting, TextPart } from '../chat.ts';
import type { SentChat } from '../dialect.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject, ObjectReader, Reading } from '../reading.ts';
import { readTextBlock } from './read-blocks.ts';
import { readSettings } from './read-settings.ts';
import { readTools } from './read-tools.ts';
import { readTurns } from './read-turns.ts';

export function readRequest({ scan, streamed }: SentChat): ChatRequest | Denial {
  const reading = new Reading();
  const parsed = parseExactJson(scan.body.toString('utf8'));
  const body = new ObjectReader(isObject(parsed) ? parsed : {}, '', reading);
  passOver(body);
  const chat: ChatRequest = {
    system: readSystem(body),
    turns: readTurns(body),
    tools: readTools(body),
    settings: readSettings(body),
    names: namesIn(body),
    streamed,
  };
  body.done();
  return reading.refusal ?? chat;
}

/**
 * `model` and `stream` have been read before. `cache_control`, here and at blocks and tools, marks where a cached prefix
 * ends: every other vendor finds its cached prefixes by itself, and no answer depends on them. The values that are
 * accepted here ask for what everybody does: any region, ordinary speed, capacity of the ordinary kind.
 */
function passOver(body: ObjectReader): void {
  body.pass('model', 'stream', 'cache_control');
  body.expect('service_tier', 'auto', 'standard_only');
  body.expect('inference_geo', 'global');
  body.expect('speed', 'standard');
}

function readSystem(body: ObjectReader): readonly TextPart[] {
  const system = body.value('system');
  if (typeof system === 'string') return system === '' ? [] : [{ kind: 'text', at: 'system', text: system }];
  return body.objects('system').map((block) => {
    if (block.value('type') !== 'text') block.invalid('type', 'must be text');
    return readTextBlock(block);
  });
}

function namesIn(body: ObjectReader): ChatRequest['names'] {
  return body.has('thinking') ? NAMES : { ...NAMES, reasoning: 'output_config.effort' };
}

/** Anthropic has no penalties, seed, choices or log probabilities: nothing is ever refused by those names. */
const NAMES: Readonly<Record<Setting, string>> = {
  outputTokensMax: 'max_tokens',
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  seed: 'seed',
  stop: 'stop_sequences',
  choices: 'n',
  logprobs: 'logprobs',
  output: 'output_config.format',
  reasoning: 'thinking',
  toolChoice: 'tool_choice',
  isParallelToolUseAllowed: 'tool_choice.disable_parallel_tool_use',
  userId: 'metadata.user_id',
};
