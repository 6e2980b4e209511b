/**
 * Reads usage exports, as JSON of the providers' usage APIs or as CSV of their consoles:
 *
 * - OpenAI, `GET /v1/organization/usage/completions` (API reference, "Usage"), and the dashboard's export of the same fields
 * - Anthropic, `GET /v1/organizations/usage_report/messages` (API reference, "Usage and cost"), and the Console's CSV
 */
import { parse } from 'csv-parse/sync';
import {
  DAY_MS,
  ExportError,
  type ExportProvider,
  type ExportRow,
  readCount,
  readStart,
  readText,
} from './export.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What an export weighs at most. */
const ROWS_MAX = 1_000_000;

/** Throws `ExportError` for what is no export of this provider. */
export function readExport(provider: ExportProvider, text: string): ExportRow[] {
  const rows = /^\s*[[{]/.test(text) ? readJson(provider, text) : readCsv(provider, text);
  if (rows.length > ROWS_MAX) throw new ExportError(`The export has more than ${ROWS_MAX} rows.`);
  return rows;
}

function readJson(provider: ExportProvider, text: string): ExportRow[] {
  const pages = parseJson(text);
  return (Array.isArray(pages) ? pages : [pages]).flatMap((page: unknown, index, all) => {
    const { data, has_more: hasMore } = asFields(page);
    if (!Array.isArray(data)) throw new ExportError("The export has no list 'data': is it another report?");
    if (hasMore === true && index === all.length - 1) {
      throw new ExportError(
        "The export is not whole: 'has_more' says that pages follow. Put all pages into one list.",
      );
    }
    return data.flatMap((bucket: unknown) => readBucket(provider, asFields(bucket)));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ExportError(`The export is no JSON: ${error instanceof Error ? error.message : 'unreadable'}.`);
  }
}

function readBucket(provider: ExportProvider, bucket: Fields): ExportRow[] {
  const [start, end] = provider === 'openai' ? ['start_time', 'end_time'] : ['starting_at', 'ending_at'];
  const { results } = bucket;
  if (!Array.isArray(results) || bucket[start] === undefined) {
    throw new ExportError(`The export is not ${provider}'s: a bucket has '${start}' and 'results'.`);
  }
  const span = { startMs: readStart(bucket[start], start), endMs: readStart(bucket[end], end) };
  return results.map((result: unknown) => ({ ...span, ...READERS[provider](asFields(result)) }));
}

type Used = Omit<ExportRow, 'startMs' | 'endMs'>;

const READERS: Readonly<Record<ExportProvider, (fields: Fields) => Used>> = {
  openai: (fields) => ({
    model: modelOf(fields['model']),
    key: readText(fields['api_key_id']),
    input: readCount(fields['input_tokens'], 'input_tokens'),
    cachedInput: readCount(fields['input_cached_tokens'], 'input_cached_tokens'),
    output: readCount(fields['output_tokens'], 'output_tokens'),
  }),
  anthropic: (fields) => {
    const written = asFields(fields['cache_creation'] ?? {});
    const cachedInput = readCount(fields['cache_read_input_tokens'], 'cache_read_input_tokens');
    const input = ['ephemeral_5m_input_tokens', 'ephemeral_1h_input_tokens'].reduce(
      (sum, name) => sum + readCount(written[name], name),
      readCount(fields['uncached_input_tokens'], 'uncached_input_tokens') + cachedInput,
    );
    return {
      model: modelOf(fields['model']),
      key: readText(fields['api_key_id']),
      input,
      cachedInput,
      output: readCount(fields['output_tokens'], 'output_tokens'),
    };
  },
};

/** The columns of Anthropic's Console. OpenAI's dashboard names its columns as its API names the fields. */
const ANTHROPIC_INPUT = [
  'usage_input_tokens_no_cache',
  'usage_input_tokens_cache_write_5m',
  'usage_input_tokens_cache_write_1h',
  'usage_input_tokens_cache_read',
] as const;
const NEEDED: Readonly<Record<ExportProvider, readonly string[]>> = {
  openai: ['start_time', 'end_time', 'model', 'input_tokens', 'output_tokens'],
  anthropic: ['usage_date_utc', 'model_version', ...ANTHROPIC_INPUT, 'usage_output_tokens'],
};

function readCsv(provider: ExportProvider, text: string): ExportRow[] {
  const rows = parseCsv(text);
  const columns = Object.keys(rows[0] ?? {});
  const missing = NEEDED[provider].filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    throw new ExportError(`The export is not ${provider}'s: it has no column ${missing.join(', ')}.`);
  }
  return provider === 'openai' ? rows.flatMap(readOpenAiCells) : rows.map(readAnthropicCells);
}

function parseCsv(text: string): Fields[] {
  try {
    return parse(text, { columns: true, bom: true, skip_empty_lines: true, max_record_size: 65_536 });
  } catch (error) {
    throw new ExportError(`The export is no CSV: ${error instanceof Error ? error.message : 'unreadable'}.`);
  }
}

/** A day without use is a row without a model. */
function readOpenAiCells(cells: Fields): ExportRow[] {
  if (readText(cells['model']) === undefined && readCount(cells['input_tokens'], 'input_tokens') === 0n)
    return [];
  const startMs = readStart(cells['start_time'], 'start_time');
  return [{ startMs, endMs: readStart(cells['end_time'], 'end_time'), ...READERS.openai(cells) }];
}

function readAnthropicCells(cells: Fields): ExportRow {
  const startMs = readStart(cells['usage_date_utc'], 'usage_date_utc');
  return {
    startMs,
    endMs: startMs + DAY_MS,
    model: modelOf(cells['model_version']),
    key: readText(cells['api_key']),
    input: ANTHROPIC_INPUT.reduce((sum, name) => sum + readCount(cells[name], name), 0n),
    cachedInput: readCount(cells['usage_input_tokens_cache_read'], 'usage_input_tokens_cache_read'),
    output: readCount(cells['usage_output_tokens'], 'usage_output_tokens'),
  };
}

function modelOf(value: unknown): string {
  const model = readText(value);
  if (model !== undefined) return model;
  throw new ExportError('The export does not tell models apart: ask for it grouped by model.');
}

function asFields(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new ExportError(
    `The export has ${JSON.stringify(value)?.slice(0, 40) ?? 'nothing'} where an object belongs.`,
  );
}
