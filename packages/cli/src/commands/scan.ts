/** `keyfold scan`: finds secrets in files, in git's history and in what is about to be committed. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples } from '../help.ts';
import { jsonOption } from '../remote/session.ts';
import { ALLOW_FILE, readAllowList } from '../scan/allow-list.ts';
import { createExclusion } from '../scan/exclude.ts';
import { openRepository } from '../scan/git.ts';
import { type InstalledHook, installHook } from '../scan/install-hook.ts';
import { countOf, renderReport, sizeOf, toJson } from '../scan/render-report.ts';
import { toSarif } from '../scan/render-sarif.ts';
import { STANDARD_INPUT, type Scan, measurePaths, scanPaths } from '../scan/scan-files.ts';
import { scanHistory } from '../scan/scan-history.ts';
import { scanStaged } from '../scan/scan-staged.ts';
import { Tally } from '../scan/tally.ts';
import { MARK } from '../scan/text-scanner.ts';
import { createProgress } from '../terminal/progress.ts';
import { createStyle } from '../terminal/style.ts';
import { escapeUnsafe } from '../terminal/table.ts';

interface ScanOptions {
  readonly history?: true;
  readonly staged?: true;
  readonly installHook?: true;
  readonly exclude?: readonly string[];
  readonly binary?: true;
  readonly json?: true;
  readonly sarif?: true;
  readonly output?: string;
}

const HOOK_SENTENCES: Readonly<Record<InstalledHook['state'], string>> = {
  installed: 'Every commit is scanned from now on, by',
  updated: 'Brought up to date:',
  unchanged: 'Nothing to do, it is there:',
};

export function addScan(program: Command, context: Context): void {
  const scan = program
    .command('scan')
    .description(
      "Find secrets that lie open: Keyfold's keys and those of the big providers. Exit code 10 when there are any.",
    )
    .argument('[paths...]', 'files and folders, - for standard input; by default this folder')
    .option('--history', 'instead of files: every commit of the git repository')
    .addOption(
      new Option('--staged', 'instead of files: what the next commit would add or change').conflicts(
        'history',
      ),
    )
    .addOption(
      new Option(
        '--install-hook',
        'scan every commit before it is made: writes the pre-commit hook',
      ).conflicts(['history', 'staged', 'exclude', 'binary', 'sarif', 'output']),
    )
    .option('--exclude <glob>', 'leave out what matches; may be repeated', collectGlob)
    .option('--binary', 'look into binary files, too')
    .addOption(jsonOption())
    .addOption(new Option('--sarif', 'print SARIF 2.1.0, for code hosts').conflicts('json'))
    .option('--output <file>', 'write the JSON or SARIF to this file')
    .action(async (paths: readonly string[], options: ScanOptions) => {
      checkCombination(paths, options);
      if (options.installHook) return showHook(context, await installHookAt(context, paths[0]), options);
      const tally = await runScan(context, paths, options);
      await print(context, tally, options);
      judge(tally);
    });
  addExamples(
    scan,
    'keyfold scan',
    'keyfold scan --history --sarif --output keyfold.sarif',
    'kubectl logs deploy/api | keyfold scan -',
    'keyfold scan --install-hook',
  );
}

function collectGlob(glob: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, glob];
}

/** What commander does not check. */
function checkCombination(paths: readonly string[], options: ScanOptions): void {
  const mode = (['history', 'staged', 'installHook'] as const).find((name) => options[name]);
  if (mode !== undefined && (paths.length > 1 || paths.includes(STANDARD_INPUT))) {
    throw new CommandFailure(
      EXIT.usage,
      'With --history, --staged or --install-hook there is one path at most.',
      {
        advice: 'It is the folder of the repository. --exclude leaves out parts of it.',
      },
    );
  }
  if (options.output !== undefined && !options.json && !options.sarif) {
    throw new CommandFailure(EXIT.usage, '--output goes with --sarif or --json.');
  }
}

async function runScan(context: Context, paths: readonly string[], options: ScanOptions): Promise<Tally> {
  if (options.history || options.staged) {
    const repository = await openRepository(context, paths[0]);
    return withProgress(context, options, {
      allowListFolder: repository.top,
      run: (scan) =>
        options.history ? scanHistory(repository, scan) : scanStaged(context, repository, scan),
    });
  }
  const roots = paths.length === 0 ? ['.'] : paths;
  return withProgress(context, options, {
    allowListFolder: context.cwd,
    total: () => measurePaths(context, roots, createExclusion(options.exclude ?? [])),
    run: (scan) => scanPaths(context, roots, scan),
  });
}

interface Job {
  readonly allowListFolder: string;
  /** Bytes there are to read; asked only when a bar is shown. */
  readonly total?: () => number;
  readonly run: (scan: Scan) => Promise<void>;
}

async function withProgress(context: Context, options: ScanOptions, job: Job): Promise<Tally> {
  const { stderr, env } = context;
  const tally = new Tally(readAllowList(job.allowListFolder));
  const progress = createProgress(stderr, { env, total: stderr.isTTY === true ? job.total?.() : undefined });
  try {
    await job.run({
      tally,
      includeBinary: options.binary === true,
      isExcluded: createExclusion(options.exclude ?? []),
      onRead: () =>
        progress.show(tally.bytes, () => `${countOf(tally.files, 'file')}, ${sizeOf(tally.bytes)}`),
    });
  } finally {
    progress.clear();
  }
  return tally;
}

async function print({ stdout, env, cwd }: Context, tally: Tally, options: ScanOptions): Promise<void> {
  const machine = options.sarif ? toSarif(tally) : options.json ? toJson(tally) : undefined;
  const text =
    machine === undefined
      ? renderReport(tally, createStyle(stdout, env))
      : `${JSON.stringify(machine, null, 2)}\n`;
  if (options.output === undefined) {
    // The process may end soon after a failure: not before its output is out.
    await new Promise<void>((done, fail) => {
      stdout.write(text, (error) => (error ? fail(error) : done()));
    });
    return;
  }
  const file = resolve(cwd, options.output);
  try {
    writeFileSync(file, text);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandFailure(EXIT.failure, `${file} cannot be written (${code}).`, { cause: error });
  }
}

/** Throws the `CommandFailure` that the outcome is, if it is one. */
function judge({ found, unreadableFiles }: Tally): void {
  const unread = unreadableFiles === 0 ? '' : ` ${countOf(unreadableFiles, 'file')} could not be read.`;
  if (found > 0) {
    throw new CommandFailure(EXIT.found, `Found ${countOf(found, 'secret')}.${unread}`, {
      advice: `Revoke what others may have seen: taking it out is not enough. Where one is meant to be, write ${MARK} on its line, or its fingerprint into ${ALLOW_FILE}.`,
      code: 'secrets_found',
    });
  }
  if (unread !== '') {
    throw new CommandFailure(EXIT.failure, `Nothing was found, but${unread}`, { code: 'unreadable' });
  }
}

async function installHookAt(context: Context, folder: string | undefined): Promise<InstalledHook> {
  return installHook(await openRepository(context, folder));
}

function showHook({ stdout }: Context, hook: InstalledHook, options: ScanOptions): void {
  stdout.write(
    options.json
      ? `${JSON.stringify({ object: 'scan_hook', ...hook }, null, 2)}\n`
      : `${HOOK_SENTENCES[hook.state]} ${escapeUnsafe(hook.path)}\n`,
  );
}
