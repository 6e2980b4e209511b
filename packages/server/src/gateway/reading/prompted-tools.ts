/** Counts the tools that a vendor has written itself: what they tell the model is input that is in no call's bytes. */
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import type { Endpoint } from '../../providers/provider.ts';

/** Where a tool may be the vendor's and run by the client: computers, shells, editors, browsers, memories. */
const HAVE_TOOLS: ReadonlySet<Endpoint> = new Set<Endpoint>(['messages', 'responses']);
/** Described by the client alone. */
const CLIENTS_OWN: ReadonlySet<unknown> = new Set([undefined, null, 'custom', 'function']);

export function countPromptedTools(endpoint: Endpoint, scan: JsonObjectScan): number {
  const span = HAVE_TOOLS.has(endpoint) ? scan.field('tools') : undefined;
  return span?.kind === 'array' ? countIn(scan.readJson(span)) : 0;
}

/** A namespace is no tool itself, and may hold some. */
function countIn(tools: unknown): number {
  if (!Array.isArray(tools)) return 0;
  let count = 0;
  for (const tool of tools as unknown[]) {
    const { type, tools: held } = Object(tool) as { readonly type?: unknown; readonly tools?: unknown };
    count += type === 'namespace' ? countIn(held) : Number(!CLIENTS_OWN.has(type));
  }
  return count;
}
