/** `keyfold audit verify`: proves offline that an exported log is what was signed, or says where it is not. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Context } from '../../context.ts';
import { CommandFailure, EXIT } from '../../exit-code.ts';
import { addExamples } from '../../help.ts';
import { readCount } from '../../option-value.ts';
import { type LogKey, readVerifierKey } from '../../audit/verify/checkpoint-book.ts';
import { describeReport, reportToJson } from '../../audit/verify/describe-report.ts';
import { runVerification } from '../../audit/verify/run-verification.ts';
import type { Report } from '../../audit/verify/verification.ts';
import { jsonOption } from '../../remote/session.ts';
import { createProgress } from '../../terminal/progress.ts';
import { createStyle } from '../../terminal/style.ts';

/** A verifier key is one short line. */
const KEY_CHARACTERS_MAX = 1_000;
const MEBIBYTE = 1_048_576;

interface VerifyOptions {
  readonly records: readonly string[];
  readonly checkpoints?: readonly string[];
  readonly key?: readonly string[];
  readonly node?: number;
  readonly part?: true;
  readonly json?: true;
}

export function addAuditVerify(audit: Command, context: Context): void {
  const verify = audit
    .command('verify')
    .description(
      'Verify an exported audit log, offline. Exit code 0: intact, 1: tampered with, 2: not everything is proven.',
    )
    .requiredOption('--records <file...>', 'exports as JSON Lines, or folders of archived segments')
    .option('--checkpoints <file...>', 'signed checkpoints, as the server appends them to its file')
    .option('--key <key...>', "the log's public key, or a file that holds it")
    .addOption(new Option('--node <number>', 'only the records of this node').argParser(readCount))
    .option('--part', 'the records are a part of the log: what lies beyond them is not missed')
    .addOption(jsonOption())
    .action(async (options: VerifyOptions) => {
      const report = await verifyFiles(context, options);
      const hasCheckpoints = report.notes.read > 0;
      const given = { hasCheckpoints, hasKey: options.key !== undefined };
      await print(
        context,
        options.json
          ? `${JSON.stringify(reportToJson(report), null, 2)}\n`
          : describeReport(report, given, createStyle(context.stdout, context.env)),
      );
      judge(report);
    });
  addExamples(
    verify,
    'keyfold audit verify --records audit.jsonl --checkpoints checkpoints.txt --key audit.key',
    'keyfold audit verify --records /var/archive audit.jsonl --checkpoints checkpoints.txt --key audit.key',
  );
}

async function verifyFiles({ stderr, env, cwd }: Context, options: VerifyOptions): Promise<Report> {
  const keys = (options.key ?? []).map((text) => readKey(text, cwd));
  const progress = createProgress(stderr, { env, total: 1 });
  try {
    return await runVerification({
      records: options.records.map((path) => resolve(cwd, path)),
      checkpoints: (options.checkpoints ?? []).map((path) => resolve(cwd, path)),
      keys,
      onlyNode: options.node,
      isPart: options.part === true,
      onProgress: ({ done, total, records }) =>
        progress.show(
          done / Math.max(total, 1),
          () => `${records} records, ${Math.round(done / MEBIBYTE)} MiB`,
        ),
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && 'path' in error)) throw error;
    throw new CommandFailure(EXIT.usage, `${String(error.path)} cannot be read (${String(error.code)}).`, {
      advice: 'Nothing was verified.',
      cause: error,
    });
  } finally {
    progress.clear();
  }
}

/** The key itself has plus signs in it, which few file names have; what is no key is read as a file. */
function readKey(text: string, cwd: string): LogKey {
  const key = readVerifierKey(text) ?? readVerifierKey(readKeyFile(resolve(cwd, text)));
  if (key !== undefined) return key;
  throw new CommandFailure(EXIT.usage, `${text} holds no public key of an audit log.`, {
    advice: 'It is one line such as keyfold-0102030405060708+c74f20a3+ARpc2QcU…; nothing was verified.',
  });
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(0, KEY_CHARACTERS_MAX);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandFailure(EXIT.usage, `${path} cannot be read (${code}).`, {
      advice: '--key takes the public key of the audit log, or a file that holds it; nothing was verified.',
      cause: error,
    });
  }
}

/** The process may end soon after a failure: not before its output is out. */
function print({ stdout }: Context, text: string): Promise<void> {
  return new Promise((done, fail) => {
    stdout.write(text, (error) => (error ? fail(error) : done()));
  });
}

/** Throws the `CommandFailure` that the result is, if it is one. */
function judge({ result, nodes }: Report): void {
  if (result === 'incomplete') {
    throw new CommandFailure(EXIT.incomplete, 'Not everything is proven.', {
      advice: 'docs/audit-verification.md says what each finding means.',
      code: 'incomplete',
    });
  }
  if (result === 'intact') return;
  const [first] = nodes.filter((of) => of.result === 'tampered');
  const where =
    first === undefined ? '' : ` The first bad record of node ${first.node} is ${first.bad?.sequence}.`;
  throw new CommandFailure(EXIT.failure, `The audit log was tampered with.${where}`, {
    advice: 'Keep the files and the database as they are: they are evidence now.',
    code: 'tampered',
  });
}
