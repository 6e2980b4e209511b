import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { prepareFirstStart } from '../src/first-start.ts';
import { type House, openHouse } from '../src/house.ts';
import { openRootKey } from '../src/sealing/root-key.ts';
import { SystemRandom } from '../src/kernel/random.ts';
import { type Config, initKeyfold, startKeyfold } from '../src/main.ts';
import { DATABASE_KINDS } from './databases.ts';
import { CONFIG } from './keyfold.ts';

test('of two processes that start at once on an empty database, one makes the organization and has the admin key', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-first-start-'));
  const place = await (DATABASE_KINDS[1] ?? assert.fail()).create();
  const rootKeyFile = join(directory, 'root.key');
  openRootKey(rootKeyFile, new SystemRandom());
  const open = () =>
    openHouse({
      ...CONFIG,
      dataDir: directory,
      databaseUrl: place.location,
      rootKeyFile,
      adminKeyFile: undefined,
    });
  const houses = await Promise.all([open(), open()]);
  context.after(async () => {
    for (const { core } of houses) await core.database.close();
    await place.remove();
    rmSync(directory, { recursive: true, force: true });
  });
  const fileOf = (index: number) => join(directory, `admin-${index}.key`);

  // Both find the database empty before either has written to it.
  let arrived = 0;
  let meet = () => {};
  const met = new Promise<void>((resolve) => (meet = resolve));
  const projectsOf = (house: House) =>
    Object.assign(Object.create(house.core.projects) as House['core']['projects'], {
      hasOrganizations: async () => {
        const has = await house.core.projects.hasOrganizations();
        arrived++;
        if (arrived === houses.length) meet();
        await met;
        return has;
      },
      insertOrganizationStep: house.core.projects.insertOrganizationStep.bind(house.core.projects),
      insertStep: house.core.projects.insertStep.bind(house.core.projects),
    });
  const starts = await Promise.all(
    houses.map((house, index) =>
      prepareFirstStart({
        ...house.core,
        projects: projectsOf(house),
        adminKeyFile: fileOf(index),
        welcomeCredit: undefined,
      }),
    ),
  );

  assert.equal(starts.filter((start) => start !== undefined).length, 1);
  for (const [index, start] of starts.entries()) assert.equal(existsSync(fileOf(index)), start !== undefined);
  const { database } = houses[0].core;
  const organizations = await database.read((db) => db.selectFrom('organizations').select('id'));
  const keys = await database.read((db) => db.selectFrom('keys').select('id'));
  assert.deepEqual([organizations.length, keys.length], [1, 1]);
});

for (const kind of DATABASE_KINDS) {
  test(`an installation whose admin keys are all held gets another, and that is recorded, on ${kind.name}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyfold-recover-'));
    const place = await kind.create();
    const printed: string[] = [];
    const output = { write: (text: string) => void printed.push(text) };
    const config: Config = {
      ...CONFIG,
      dataDir: directory,
      databaseUrl: kind.name === 'postgres' ? place.location : undefined,
      rootKeyFile: join(directory, 'root.key'),
      adminKeyFile: undefined,
    };
    const keyIn = (text: string | undefined) => /kf_admin_\w{49}/.exec(text ?? '')?.[0] ?? assert.fail(text);
    try {
      await assert.rejects(initKeyfold(config, output, { recoversAdminKey: true }), /no installation/);
      await initKeyfold(config, output);
      const first = keyIn(printed.at(-1));
      const running = await startKeyfold(config, output);
      const leaked = await fetch(`${running.url}/v1/leaks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${first}`, 'content-type': 'application/json' },
        body: JSON.stringify({ secret: first }),
      });
      assert.equal(((await leaked.json()) as { action: string }).action, 'quarantined');
      await running.stop();
      await initKeyfold(config, output, { recoversAdminKey: true });
      const second = keyIn(printed.at(-1));
      const again = await startKeyfold(config, output);
      const ask = (key: string) =>
        fetch(`${again.url}/v1/audit/events`, { headers: { authorization: `Bearer ${key}` } });
      assert.equal((await ask(first)).status, 401);
      const events = (await (await ask(second)).json()) as { data: { actor: string; detail: object }[] };
      assert.ok(events.data.some(({ actor, detail }) => actor === 'system' && 'recovery' in (detail ?? {})));
      await again.stop();
    } finally {
      await place.remove();
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
