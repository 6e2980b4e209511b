/** `keyfold reconcile`: what was settled in a period against the provider's own export of it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples } from '../help.ts';
import { type Comparison, type Counts, type OwnUsage, checkPeriod, compare } from '../reconcile/compare.ts';
import { EXPORT_PROVIDERS, ExportError, type ExportProvider, type ExportRow } from '../reconcile/export.ts';
import { readExport } from '../reconcile/read-export.ts';
import { type JsonObject, objectsOf, showValue, textOf } from '../remote/json.ts';
import { type RemoteOptions, type Session, addRemoteOptions, openSession } from '../remote/session.ts';
import { renderTable } from '../terminal/table.ts';

/** Bytes of the largest export that is read. */
const FILE_BYTES_MAX = 268_435_456;
const INPUT_CLASSES = ['input', 'cached_input', 'cache_write', 'audio_input', 'image_input'];
const OUTPUT_CLASSES = ['output', 'reasoning', 'audio_output', 'image_output'];

interface ReconcileOptions extends RemoteOptions {
  readonly provider: ExportProvider;
  readonly from: number;
  readonly to: number;
  readonly key?: Readonly<Record<string, string>>;
  readonly tolerancePercent: number;
}

export function addReconcile(program: Command, context: Context): void {
  const reconcile = addRemoteOptions(program.command('reconcile'))
    .description(
      "Compare what was settled with the provider's own usage export, by model and key. Drift ends with 1.",
    )
    .argument('<file>', 'the export: JSON of the usage API, or CSV of the console')
    .addOption(new Option('--provider <name>', 'whose it is').choices(EXPORT_PROVIDERS).makeOptionMandatory())
    .addOption(new Option('--from <date>', 'its first day, UTC').argParser(readDay).makeOptionMandatory())
    .addOption(new Option('--to <date>', 'the day after its last').argParser(readDay).makeOptionMandatory())
    .addOption(
      new Option(
        '--key <theirs=ours>',
        "the provider's key and the credential that holds it; may be repeated",
      ).argParser(collectKeys),
    )
    .addOption(
      new Option('--tolerance-percent <n>', 'drift that does not count (0)')
        .default(0)
        .argParser(readPercent),
    )
    .action(async (file: string, options: ReconcileOptions) => {
      const rows = readRows(resolve(context.cwd, file), options);
      const session = openSession(context, options);
      const comparisons = await reconcileWith(session, rows, options);
      const drifted = comparisons.filter(
        ({ driftBasisPoints }) => driftBasisPoints > options.tolerancePercent,
      );
      session.print(renderJson(comparisons), () => renderComparisons(comparisons, session));
      if (drifted.length === 0) return;
      throw new CommandFailure(EXIT.failure, `${drifted.length} of ${comparisons.length} rows differ.`, {
        advice: 'Calls that were charged at their hold have no tokens here: see docs/accounting.md.',
        code: 'drift',
      });
    });
  addExamples(
    reconcile,
    'keyfold reconcile november.csv --provider anthropic --from 2026-11-01 --to 2026-12-01',
    'keyfold reconcile usage.json --provider openai --from 2026-11-01 --to 2026-12-01 --key key_abc=main',
  );
}

function readRows(file: string, { provider, from, to }: ReconcileOptions): ExportRow[] {
  try {
    if (from >= to) throw new ExportError('--from is before --to.');
    const bytes = readFileSync(file);
    if (bytes.length > FILE_BYTES_MAX)
      throw new ExportError(`The export is larger than ${FILE_BYTES_MAX} bytes.`);
    const rows = readExport(provider, bytes.toString('utf8'));
    checkPeriod(rows, { fromMs: from, toMs: to });
    return rows;
  } catch (error) {
    if (error instanceof ExportError || isSystemError(error)) {
      throw new CommandFailure(EXIT.usage, error.message, { advice: 'Nothing was compared.', cause: error });
    }
    throw error;
  }
}

async function reconcileWith(
  { client }: Session,
  rows: readonly ExportRow[],
  { provider, from, to, key = {} }: ReconcileOptions,
): Promise<Comparison[]> {
  const [start, end] = [from, to].map((ms) => new Date(ms).toISOString());
  const query = { group_by: 'model,credential', provider, from: start, to: end };
  const answer = await client.send({ method: 'GET', path: '/v1/usage', query });
  const names = new Map<string, string>();
  for (let after: string | undefined; ;) {
    const page = await client.send({
      method: 'GET',
      path: '/v1/credentials',
      query: { limit: '100', after },
    });
    for (const each of objectsOf(page['data'])) names.set(showValue(each['id']), showValue(each['name']));
    after = textOf(page['last_id']);
    if (page['has_more'] !== true) break;
  }
  const credential = (id: string) => names.get(id) ?? id;
  return compare(rows, objectsOf(answer['data']).map(readOwn), {
    credential,
    key: (theirs) => credential(key[theirs] ?? theirs),
  });
}

function readOwn(row: JsonObject): OwnUsage {
  const sum = (classes: readonly string[]) =>
    classes.reduce((total, name) => total + BigInt(showValue(row[`${name}_tokens`] ?? 0)), 0n);
  return {
    model: showValue(row['model']),
    credentialId: showValue(row['credential_id']),
    input: sum(INPUT_CLASSES),
    cachedInput: sum(['cached_input']),
    output: sum(OUTPUT_CLASSES),
    calls: BigInt(showValue(row['calls'])),
    costUsd: showValue(row['cost_usd']),
  };
}

function renderComparisons(comparisons: readonly Comparison[], { style }: Session): string {
  const count = (amount: bigint | undefined) => (amount === undefined ? '–' : String(amount));
  const columns = [
    { title: 'model' },
    { title: 'key' },
    ...[
      'their input',
      'our input',
      'their cached',
      'our cached',
      'their output',
      'our output',
      'drift %',
      'our usd',
    ].map((title) => ({ title, align: 'right' }) as const),
  ];
  const cells = comparisons.map(({ model, key, theirs, ours, driftBasisPoints }) => [
    model,
    key,
    count(theirs?.input),
    count(ours?.input),
    count(theirs?.cachedInput),
    count(ours?.cachedInput),
    count(theirs?.output),
    count(ours?.output),
    (driftBasisPoints / 100).toFixed(2),
    ours?.costUsd ?? '–',
  ]);
  return renderTable(columns, cells, style);
}

/** Counts are numbers: no provider's are beyond what JSON holds exactly. */
function renderJson(comparisons: readonly Comparison[]): unknown {
  const counts = ({ input, cachedInput, output }: Counts) => ({
    input_tokens: Number(input),
    cached_input_tokens: Number(cachedInput),
    output_tokens: Number(output),
  });
  return {
    object: 'reconciliation',
    data: comparisons.map(({ model, key, theirs, ours, drift, driftBasisPoints }) => ({
      model,
      key,
      provider: theirs === undefined ? null : counts(theirs),
      keyfold:
        ours === undefined ? null : { ...counts(ours), calls: Number(ours.calls), cost_usd: ours.costUsd },
      drift: counts(drift),
      drift_percent: driftBasisPoints / 100,
    })),
  };
}

function readDay(text: string): number {
  const ms = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It is a day such as 2026-11-01.');
  return ms;
}

/** In hundredths of a percent. */
function readPercent(text: string): number {
  const [, whole, fraction = ''] = /^([0-9]{1,3})(?:\.([0-9]{1,2}))?$/.exec(text) ?? [];
  if (whole !== undefined) return Number(whole + fraction.padEnd(2, '0'));
  throw new InvalidArgumentError('It is a percentage such as 0.5.');
}

function collectKeys(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.lastIndexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('It is <theirs>=<ours>.');
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) };
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error;
}
