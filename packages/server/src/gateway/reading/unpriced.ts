/** Finds in a call what its vendor charges for beyond tokens: it has no price here, so it is refused and not given away. */
import { Denial } from '../../kernel/denial.ts';
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import { DIALECTS, type Dialect, type Endpoint } from '../../providers/provider.ts';
import { findHostedTool } from './responses-call.ts';

/**
 * Tools that Anthropic runs itself (platform.claude.com, "Server tools"): searches are charged by the piece, and what any
 * of them reads becomes input that the call's bytes do not bound.
 */
const SERVER_TOOLS =
  /^(?:web_search|web_fetch|code_execution|tool_search_tool|bash_code_execution|text_editor_code_execution)/;
const SERVER_FIELDS = ['mcp_servers', 'container'] as const;
/** Where and how fast a message is served can multiply its price. */
const PLAIN_VALUES: Readonly<Record<string, readonly string[]>> = {
  speed: ['standard'],
  inference_geo: ['global'],
};

/** What Google runs itself stands under a name of its own in an entry of `tools`; functions are the caller's. */
const CALLERS_TOOLS: ReadonlySet<string> = new Set(['functionDeclarations', 'function_declarations']);
/** Images and sound that are generated cost other prices than text. */
const MODALITIES = ['responseModalities', 'response_modalities'] as const;
/** Flex costs less than the standard price, which is held and charged; priority costs more. */
const TIERS = ['serviceTier', 'service_tier'] as const;
const PLAIN_TIER = /^(?:service_tier_)?(?:unspecified|standard|flex)$/i;
const CONFIGS = ['generationConfig', 'generation_config'] as const;

const DRAWING_FIELDS = ['svg', 'frame_count', 'frame_duration_ms'] as const;
const STILL_FORMATS: ReadonlySet<string> = new Set(['png', 'webp', 'jpeg']);
/** Of OpenAI's: they multiply every price. */
const DEARER_TIERS: ReadonlySet<string> = new Set(['priority', 'fast', 'ultrafast']);

/** Of OpenAI's chat completions. */
const SEARCH_FIELD = 'web_search_options';

const FINDERS: Readonly<Record<Dialect, (scan: JsonObjectScan) => Denial | undefined>> = {
  openai: findInOpenAi,
  anthropic: findInMessages,
  gemini: findInGemini,
};

/** Paths that can ask for more than their dialect's others. */
const OWN_FINDERS: Readonly<Partial<Record<Endpoint, (scan: JsonObjectScan) => Denial | undefined>>> = {
  responses: findHostedTool,
  'images.generations': findDrawing,
};

export function findUnpriced(endpoint: Endpoint, scan: JsonObjectScan): Denial | undefined {
  return FINDERS[DIALECTS[endpoint]](scan) ?? OWN_FINDERS[endpoint]?.(scan);
}

function findInOpenAi(scan: JsonObjectScan): Denial | undefined {
  const tier = scan.field('service_tier');
  const isDearer = tier?.kind === 'string' && DEARER_TIERS.has(scan.readString(tier));
  if (isDearer) return refuseUnpriced('service_tier', 'This service tier');
  const searches = (scan.field(SEARCH_FIELD)?.kind ?? 'null') !== 'null';
  return searches ? refuseUnpriced(SEARCH_FIELD, 'A search, which is charged by the piece,') : undefined;
}

function findInMessages(scan: JsonObjectScan): Denial | undefined {
  for (const field of SERVER_FIELDS) {
    const span = scan.field(field);
    if (span !== undefined && span.kind !== 'null') return refuseUnpriced(field, `'${field}'`);
  }
  for (const [field, plain] of Object.entries(PLAIN_VALUES)) {
    const span = scan.field(field);
    if (span === undefined || span.kind === 'null') continue;
    if (span.kind !== 'string' || !plain.includes(scan.readString(span))) {
      return refuseUnpriced(field, `This '${field}'`);
    }
  }
  return findServerTool(scan);
}

/** Drawings are written by another model, and moving images have many frames: no price of an image bounds them. */
function findDrawing(scan: JsonObjectScan): Denial | undefined {
  const moving = DRAWING_FIELDS.find((field) => (scan.field(field)?.kind ?? 'null') !== 'null');
  if (moving !== undefined) return refuseUnpriced(moving, `'${moving}'`);
  const format = scan.field('output_format');
  const isPlain = format?.kind !== 'string' || STILL_FORMATS.has(scan.readString(format));
  return isPlain ? undefined : refuseUnpriced('output_format', 'This format');
}

function refuseUnpriced(param: string, what: string): Denial {
  return new Denial('unsupported_parameter', { param, message: `${what} has no price here.` });
}

function findInGemini(scan: JsonObjectScan): Denial | undefined {
  return findServedTool(scan) ?? findTier(scan) ?? findModality(scan);
}

function findServedTool(scan: JsonObjectScan): Denial | undefined {
  const span = scan.field('tools');
  if (span !== undefined && span.kind !== 'array' && span.kind !== 'null') {
    return new Denial('invalid_request', { param: 'tools', message: "'tools' must be a list." });
  }
  for (const [index, tool] of readTools(scan).entries()) {
    const names = typeof tool === 'object' && tool !== null ? Object.keys(tool) : [];
    const served = names.find((name) => !CALLERS_TOOLS.has(name));
    if (served !== undefined) {
      return refuseUnpriced(`tools.${index}.${served}`, `The tool '${served}', which the provider runs,`);
    }
  }
  return undefined;
}

function findTier(scan: JsonObjectScan): Denial | undefined {
  for (const field of TIERS) {
    const tier = scan.field(field);
    if (tier === undefined || tier.kind === 'null') continue;
    if (tier.kind !== 'string' || !PLAIN_TIER.test(scan.readString(tier))) {
      return refuseUnpriced(field, 'This service tier');
    }
  }
  return undefined;
}

function findModality(scan: JsonObjectScan): Denial | undefined {
  for (const config of CONFIGS) {
    const span = scan.field(config);
    if (span?.kind !== 'object') continue;
    for (const field of MODALITIES) {
      const modalities = scan.fieldsOf(span).field(field);
      if (modalities === undefined || modalities.kind === 'null') continue;
      const asked: unknown = scan.readJson(modalities);
      if (!Array.isArray(asked) || asked.some((each) => each !== 'TEXT')) {
        return refuseUnpriced(`${config}.${field}`, 'An answer that is not text');
      }
    }
  }
  return undefined;
}

function readTools(scan: JsonObjectScan): readonly unknown[] {
  const span = scan.field('tools');
  const tools: unknown = span?.kind === 'array' ? scan.readJson(span) : [];
  return Array.isArray(tools) ? (tools as unknown[]) : [];
}

function findServerTool(scan: JsonObjectScan): Denial | undefined {
  for (const [index, tool] of readTools(scan).entries()) {
    const type = typeof tool === 'object' && tool !== null && 'type' in tool ? tool.type : undefined;
    if (typeof type === 'string' && SERVER_TOOLS.test(type)) {
      return refuseUnpriced(
        `tools.${index}.type`,
        `The tool '${type.slice(0, 60)}', which the provider runs,`,
      );
    }
  }
  return undefined;
}
