/** `keyfold models`: the catalog of models and their prices. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples, addGroup } from '../help.ts';
import { readCount, readTime, readUsd } from '../option-value.ts';
import { showValue } from '../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';

export const MODEL_LIST: ListView = {
  path: '/v1/catalog/models',
  columns: [
    { title: 'provider', path: 'provider' },
    { title: 'model', path: 'model' },
    { title: 'input usd/1M', path: 'input_usd_per_million', align: 'right' },
    { title: 'output usd/1M', path: 'output_usd_per_million', align: 'right' },
    { title: 'cached usd/1M', path: 'cached_input_usd_per_million', align: 'right' },
    { title: 'context', path: 'context_tokens', align: 'right' },
    { title: 'effective from', path: 'effective_from' },
    { title: 'source', path: 'source' },
  ],
  empty: 'The catalog is empty. Import prices: keyfold models import FILE',
};

export function addModels(program: Command, context: Context): void {
  const models = addGroup(program, 'models', 'Models and their prices: list, set a price, import.');
  addExamples(models, 'keyfold models list');
  for (const add of [addList, addSetPrice, addImport]) add(models, context);
}

function addList(models: Command, context: Context): void {
  const list = addPageOptions(models.command('list'))
    .description('List models with their prices in US dollars per million tokens.')
    .option('--provider <provider>', 'only of this provider')
    .action((options: PageOptions & { provider?: string }) =>
      showList(openSession(context, options), MODEL_LIST, { options, query: { provider: options.provider } }),
    );
  addExamples(list, 'keyfold models list --provider openai --all');
}

interface PriceOptions extends RemoteOptions {
  readonly input: string;
  readonly output: string;
  readonly cachedInput?: string;
  readonly cacheWrite?: string;
  readonly reasoning?: string;
  readonly contextTokens?: number;
  readonly outputTokensMax?: number;
  readonly effectiveFrom?: string;
}

function addSetPrice(models: Command, context: Context): void {
  const price = (flags: string, meaning: string) =>
    new Option(flags, `US dollars per million ${meaning}`).argParser(readUsd);
  const setPrice = models
    .command('set-price')
    .description(
      'Add a model, or give it a new price. Calls that are running keep the price they began with.',
    )
    .argument('<provider/model>', 'such as openai/gpt-4.1', readModelName)
    .addOption(price('--input <usd>', 'input tokens').makeOptionMandatory())
    .addOption(price('--output <usd>', 'output tokens').makeOptionMandatory())
    .addOption(price('--cached-input <usd>', 'input tokens read from a cache'))
    .addOption(price('--cache-write <usd>', 'tokens written to a cache'))
    .addOption(price('--reasoning <usd>', 'reasoning tokens'))
    .addOption(new Option('--context-tokens <count>', 'the most it takes in').argParser(readCount))
    .addOption(new Option('--output-tokens-max <count>', 'the most it gives out').argParser(readCount))
    .addOption(
      new Option('--effective-from <time>', 'when the price begins (default: now)').argParser(readTime),
    );
  addRemoteOptions(setPrice).action(async (name: string, options: PriceOptions) => {
    const session = openSession(context, options);
    const body = {
      input_usd_per_million: options.input,
      output_usd_per_million: options.output,
      cached_input_usd_per_million: options.cachedInput,
      cache_write_usd_per_million: options.cacheWrite,
      reasoning_usd_per_million: options.reasoning,
      context_tokens: options.contextTokens,
      output_tokens_max: options.outputTokensMax,
      effective_from: options.effectiveFrom,
    };
    const path = `${MODEL_LIST.path}/${name.split('/').map(encodeURIComponent).join('/')}`;
    const answer = await session.client.send({ method: 'PUT', path, body });
    session.print(
      answer,
      () => `${name} costs ${options.input} in and ${options.output} out, US dollars per million tokens.\n`,
    );
  });
  addExamples(setPrice, 'keyfold models set-price openai-compatible/llama3 --input 0.10 --output 0.30');
}

function addImport(models: Command, context: Context): void {
  const importPrices = addRemoteOptions(models.command('import'))
    .description("Import prices from a JSON file, such as LiteLLM's model_prices_and_context_window.json.")
    .argument('<file>', 'the file')
    .action(async (file: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const body = await readJsonFile(resolve(context.cwd, file));
      const answer = await session.client.send({ method: 'POST', path: '/v1/catalog/import', body });
      session.print(answer, () => {
        const counts = Object.entries(answer).map(([name, value]) => {
          const count = Array.isArray(value) ? String(value.length) : showValue(value);
          return `${name.replaceAll('_', ' ')}: ${count}`;
        });
        return `Imported ${file}. ${counts.join(', ')}\n`;
      });
    });
  addExamples(importPrices, 'keyfold models import model_prices_and_context_window.json');
}

/** The provider is what stands before the first slash; a model's own name may hold more of them. */
function readModelName(text: string): string {
  const parts = text.split('/');
  if (parts.length < 2 || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new InvalidArgumentError('It must be provider/model, such as openai/gpt-4.1.');
  }
  return text;
}

async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    const reason =
      error instanceof SyntaxError ? 'it is not JSON' : ((error as NodeJS.ErrnoException).code ?? 'error');
    throw new CommandFailure(EXIT.usage, `${path} cannot be read: ${reason}.`, { cause: error });
  }
}
