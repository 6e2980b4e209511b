import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFolder } from '../../test/git-repository.ts';
import { type Draw, createDraw, drawSecrets, drawText, prose } from '../../test/planted-secrets.ts';
import { run } from '../../test/run.ts';

const MEGABYTES = 128;
/** What 1 GB in 20 s is. It takes a seventh of that on a machine of 2024: the rest is room for slower ones. */
const CPU_MICROSECONDS_MAX = (MEGABYTES / 1_000) * 20_000_000;
/** Less than the file: it is never in memory as a whole. */
const GROWTH_BYTES_MAX = 110_000_000;

test(`${MEGABYTES} MB of text take no more processor time than 20 s for 1 GB would`, async (context) => {
  const draw = createDraw(1);
  const folder = createFolder('keyfold-speed-');
  const [key = ''] = drawSecrets(draw, 1).map(({ secret }) => secret);
  const megabyte = Buffer.from(drawOrdinaryText(draw)).subarray(0, 1_000_000);
  const file = openSync(join(folder, 'text.txt'), 'w');
  for (let written = 0; written < MEGABYTES; written++) writeSync(file, megabyte);
  writeSync(file, `\n${key}\n`);
  closeSync(file);

  const memory = process.memoryUsage.rss();
  const start = process.cpuUsage();
  const { code, stdout } = await run(['scan', '--json'], { cwd: folder });
  const { user, system } = process.cpuUsage(start);
  const growth = process.resourceUsage().maxRSS * 1_024 - memory;
  rmSync(folder, { recursive: true });

  context.diagnostic(
    `${((user + system) / 1e6).toFixed(2)} s of processor time, ${(growth / 1e6).toFixed(0)} MB more memory`,
  );
  assert.equal(code, 10);
  assert.match(stdout, /"bytes": 128000\d\d\d,/);
  assert.ok(user + system < CPU_MICROSECONDS_MAX, `${user + system} µs`);
  assert.ok(growth < GROWTH_BYTES_MAX, `${growth} bytes`);
});

/** More than a megabyte: lines of words and of code, of which one in twenty is full of what begins as secrets do. */
function drawOrdinaryText(draw: Draw): string {
  const letters = 'etaoinshrdlucmfwypvbgk etaoinshr aeiou ();=_-.,"';
  return Array.from({ length: 32_000 }, (_, line) =>
    line % 20 === 0 ? prose(draw, 8) : drawText(draw, letters, 10 + draw(60)),
  ).join('\n');
}
