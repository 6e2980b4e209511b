/** Measures `keyfold audit verify`: a log of so many records of calls, its seconds and its peak memory. `node measure.ts [records]`. */
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EMPTY_CHAIN, chainRecord, headBytes } from '../../../server/src/storage/audit-chain.ts';
import { renderEvent } from '../../../server/src/audit/render-event.ts';
import { renderExportLine } from '../../../server/src/audit/export/export-line.ts';
import { LogSigner } from '../../../server/test/audit/log-signer.ts';

const RECORDS_PER_CHECKPOINT = 1_000;
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Prints the peak resident memory of what it has run, in KiB. */
const PROGRAM = `await import(${JSON.stringify(MAIN)}); process.on('exit', () => console.error('peak', process.resourceUsage().maxRSS))`;

const records = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'keyfold-measure-'));
const [log, checkpoints] = [join(folder, 'audit.jsonl'), join(folder, 'checkpoints.txt')];
const signer = new LogSigner();
await writeLog();
const args = ['audit', 'verify', '--records', log, '--checkpoints', checkpoints, '--key', signer.verifierKey];
const startedMs = performance.now();
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  ['--input-type=module', '-e', PROGRAM, '--', MAIN, ...args],
  { encoding: 'utf8' },
);
const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
const peakMebibytes = Math.round(Number(/peak (\d+)/.exec(stderr)?.[1]) / 1_024);
const megabytes = Math.round(statSync(log).size / 1e6);
process.stdout.write(stdout);
process.stdout.write(
  `${records} records, ${megabytes} MB: ${seconds} s, ${peakMebibytes} MiB at most, exit code ${status}\n`,
);
rmSync(folder, { recursive: true });

async function writeLog(): Promise<void> {
  const file = createWriteStream(log);
  let [state, notes] = [EMPTY_CHAIN, ''];
  for (let count = 1; count <= records; count++) {
    const chained = chainRecord(state, { node: 1, body: bodyOf(count) });
    state = chained.state;
    const head = headBytes(state.head);
    const hasRoom = file.write(renderExportLine({ head, record: chained.record }));
    if (!hasRoom) await new Promise((resolve) => file.once('drain', resolve));
    if (count % RECORDS_PER_CHECKPOINT === 0) {
      notes += `${signer.sign({ node: 1, sequence: count, head })}\n`;
    }
  }
  await new Promise<void>((resolve) => {
    file.end(() => resolve());
  });
  writeFileSync(checkpoints, notes);
}

/** Every second record opens a call, the next one settles it. */
function bodyOf(count: number): string {
  const id = String(count).padStart(26, '0');
  const call = {
    actor: `key_${id}`,
    target: `res_${id}`,
    decision: 'allowed',
    requestId: `req_${id}`,
  } as const;
  const of = { ...call, organizationId: `org_${id}` };
  const model = { provider: 'openai', model: 'gpt-5-mini' };
  const timeMs = 1_790_000_000_000 + count;
  if (count % 2 === 1) {
    const detail = { ...model, held_usd: '0.012345' };
    return renderEvent({ ...of, action: 'call.opened', address: '203.0.113.7', detail }, timeMs);
  }
  const tokens = { status: 200, input_tokens: 1_234, output_tokens: 321, duration_ms: 1_432, attempt: 1 };
  const cost = 1_234_500n as never;
  return renderEvent({ ...of, action: 'call.settled', cost, detail: { ...model, ...tokens } }, timeMs);
}
