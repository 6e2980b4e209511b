/**
 * Finds fields that some servers take for others: Go's `encoding/json`, in which Ollama and many gateways are written,
 * matches names without regard to case, and the last one counts. What Keyfold has read would then not be what they read.
 */
import { Denial } from '../../kernel/denial.ts';
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import { openAiCompatible } from '../../providers/openai-compatible/provider.ts';

/** All that Keyfold reads, writes or refuses at the top of a body of OpenAI's dialect; a test holds it to the code. */
const NAMES =
  'model stream stream_options stream_format messages prompt input tools max_tokens max_completion_tokens ' +
  'max_output_tokens n best_of partial_images modalities output_format svg frame_count frame_duration_ms ' +
  'response_format service_tier web_search_options context_management background prompt_cache_options ' +
  'previous_response_id conversation';
const READ = byFold([...NAMES.split(' '), ...(openAiCompatible.rerouting ?? [])]);
const READ_OF_STREAM_OPTIONS = byFold(['include_usage']);
/** What a refusal repeats of a client's own word. */
const NAME_CHARACTERS_MAX = 60;

export function findFolded(scan: JsonObjectScan): Denial | undefined {
  const found = findIn(scan, READ, '');
  if (found !== undefined) return found;
  const options = scan.field('stream_options');
  if (options?.kind !== 'object') return undefined;
  return findIn(scan.fieldsOf(options), READ_OF_STREAM_OPTIONS, 'stream_options.');
}

function findIn(scan: JsonObjectScan, read: ReadonlyMap<string, string>, prefix: string): Denial | undefined {
  for (const name of scan.namesBeyondLowerCase()) {
    const field = read.get(fold(name));
    if (field === undefined || field === name) continue;
    const param = `${prefix}${name.slice(0, NAME_CHARACTERS_MAX)}`;
    const message = `'${param}' is taken for '${prefix}${field}' by servers that do not tell upper from lower case. Write it so.`;
    return new Denial('invalid_request', { param, message });
  }
  return undefined;
}

function byFold(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [fold(name), name]));
}

/** By way of capitals, since two letters beyond ASCII share theirs with `s` and `i`, and the Kelvin sign's small one is `k`. */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}
