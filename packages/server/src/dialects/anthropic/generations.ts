/**
 * Responsible for what Anthropic documents that a model refuses ("Troubleshooting thinking", "Thinking", "Effort",
 * "Mid-conversation system messages" and the migration guides, platform.claude.com, read on 2026-11-23). A model that is
 * not known by its name is asked, and answers for itself.
 */
import type { Reading } from '../reading.ts';
import type { Effort } from '../chat.ts';

/** What is written to: where refusals go, and what the model refuses. */
export interface Target {
  readonly reading: Reading;
  readonly refusals: Refusals;
}

/** What a model does not take. */
export interface Refusals {
  /** `thinking.type` of enabled, adaptive or disabled. */
  readonly budget: boolean;
  readonly adaptive: boolean;
  readonly disabled: boolean;
  readonly efforts: readonly Effort[];
  /** `tool_choice` of any or tool. */
  readonly forcedTools: boolean;
  /** Any other than the usual `temperature` and `top_p`, and any `top_k`. */
  readonly sampling: boolean;
  /** `temperature` and `top_p` in one request. */
  readonly temperatureWithTopP: boolean;
  /** Messages of the role `system`. */
  readonly systemMessages: boolean;
}

export function refusalsOf(model: string): Refusals {
  const claude = parseModel(model);
  if (claude === undefined) return NONE;
  const { family, version } = claude;
  const isFableOrMythos = family === 'fable' || family === 'mythos';
  const isOpusOrSonnet = family === 'opus' || family === 'sonnet';
  return {
    budget: version >= 407,
    adaptive: version < 406,
    disabled: isFableOrMythos || (isOpusOrSonnet && version >= 505),
    efforts: refusedEfforts(claude),
    forcedTools: (isFableOrMythos && version >= 501) || (isOpusOrSonnet && version >= 505),
    sampling: version >= 407,
    temperatureWithTopP: version >= 401,
    systemMessages: version < 408 || (family === 'sonnet' && version < 505),
  };
}

interface Claude {
  readonly family: string;
  /** 407 is 4.7. */
  readonly version: number;
}

/** `claude-opus-4-5-20251101`, `claude-sonnet-5`, and `claude-3-7-sonnet-latest` as they were called before. */
function parseModel(model: string): Claude | undefined {
  const [, family, major, minor] = NAME.exec(model) ?? [];
  if (family !== undefined) return { family, version: Number(major) * 100 + Number(minor ?? 0) };
  const [, oldMajor, oldMinor, oldFamily] = OLD_NAME.exec(model) ?? [];
  if (oldFamily === undefined) return undefined;
  return { family: oldFamily, version: Number(oldMajor) * 100 + Number(oldMinor ?? 0) };
}

function refusedEfforts({ family, version }: Claude): readonly Effort[] {
  if (version >= 407) return [];
  if (version === 406) return ['xhigh'];
  return family === 'opus' && version === 405 ? ['xhigh', 'max'] : ['low', 'medium', 'high', 'xhigh', 'max'];
}

const NAME = /^claude-(opus|sonnet|haiku|fable|mythos)-(\d{1,2})(?:-(\d{1,2}))?(?!\d)/;
const OLD_NAME = /^claude-(\d)(?:-(\d))?-(opus|sonnet|haiku)/;

const NONE: Refusals = {
  budget: false,
  adaptive: false,
  disabled: false,
  efforts: [],
  forcedTools: false,
  sampling: false,
  temperatureWithTopP: false,
  systemMessages: false,
};
