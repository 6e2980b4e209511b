import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ConfigError } from './config.ts';
import { renderConfigurationTable } from './configuration-table.ts';
import { describeConfig, redactUrl } from './describe-config.ts';
import { SETTING_NAMES } from './settings.ts';

const cwd = join(tmpdir(), 'keyfold-no-such-folder');

describe('describeConfig', () => {
  test('every setting says its value and where it comes from', () => {
    const { file, settings } = describeConfig({
      flags: { listen: '[::1]:0' },
      env: { KEYFOLD_TRUSTED_PROXIES: '10.0.0.0/8,fd00::/8', KEYFOLD_ALLOW_PLAINTEXT: '1' },
      cwd,
    });
    assert.equal(file, null);
    assert.deepEqual(
      settings.map(({ name }) => name),
      SETTING_NAMES,
    );
    const byName = new Map(settings.map(({ name, value, source }) => [name, [value, source]]));
    assert.deepEqual(byName.get('listen'), ['[::1]:0', 'flag']);
    assert.deepEqual(byName.get('trusted_proxies'), ['10.0.0.0/8,fd00::/8', 'env']);
    assert.deepEqual(byName.get('allow_plaintext'), ['1', 'env']);
    assert.deepEqual(byName.get('root_key_file'), [join(cwd, '.keyfold', 'root.key'), 'default']);
    assert.deepEqual(byName.get('database_url'), [null, 'default']);
  });

  test('the password of the database is nowhere in it', () => {
    const env = { KEYFOLD_DATABASE_URL: 'postgres://keyfold:hunter2@db:5432/keyfold?sslpassword=hunter2' };
    const text = JSON.stringify(describeConfig({ flags: {}, env, cwd }));
    assert.doesNotMatch(text, /hunter2/);
    assert.match(text, /postgres:\/\/keyfold:\*\*\*@db:5432\/keyfold/);
  });

  test('a configuration that cannot be used is not described', () => {
    assert.throws(() => describeConfig({ flags: { listen: '0.0.0.0:1' }, env: {}, cwd }), ConfigError);
  });
});

describe('redactUrl', () => {
  test('keeps a URL without secrets as it is, and hides one that cannot be read', () => {
    assert.equal(redactUrl('postgres://db/keyfold'), 'postgres://db/keyfold');
    assert.equal(redactUrl('postgres://[hunter2'), '***');
    assert.equal(redactUrl(undefined), null);
  });
});

describe('docs/configuration.md', () => {
  test('its table is the one that the schema renders', () => {
    const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');
    const [, table] = /<!-- settings -->\n\n([^]*?)\n\n<!-- \/settings -->/.exec(page) ?? [];
    assert.equal(table, renderConfigurationTable(), 'put the output of renderConfigurationTable() there');
  });
});
