import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ConfigError } from './config.ts';
import { loadConfig } from './load-config.ts';
import type { ConfigSources } from './resolve-settings.ts';

const root = mkdtempSync(join(tmpdir(), 'keyfold-config-'));
after(() => rmSync(root, { recursive: true }));

let folders = 0;
/** A working directory of its own, with a `keyfold.yaml` where text is given. */
function folder(yaml?: string): string {
  const cwd = join(root, String(++folders));
  mkdirSync(cwd);
  if (yaml !== undefined) writeFileSync(join(cwd, 'keyfold.yaml'), yaml);
  return cwd;
}

function load(from: Partial<ConfigSources> & { yaml?: string }) {
  return loadConfig({ flags: {}, env: {}, cwd: folder(from.yaml), ...from });
}

function problemsOf(from: Partial<ConfigSources> & { yaml?: string }): readonly string[] {
  try {
    load(from);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

describe('loadConfig', () => {
  test('nothing given is the documented defaults, with absolute paths', () => {
    const cwd = folder();
    assert.deepEqual(loadConfig({ flags: {}, env: {}, cwd }), {
      listen: { host: '127.0.0.1', port: 8080 },
      controlListen: undefined,
      dataDir: join(cwd, '.keyfold'),
      databaseUrl: undefined,
      rootKeyFile: join(cwd, '.keyfold', 'root.key'),
      adminKeyFile: undefined,
      welcomeCredit: undefined,
      trustedProxies: [],
      leakPartnerKeysFile: undefined,
      webhookNetworks: [],
      auditCheckpointFile: undefined,
      auditCheckpointSyslog: undefined,
      auditCheckpointWebhook: undefined,
      auditSinkLagMs: 900_000,
      auditSinkRefuses: 'everything',
      tls: undefined,
      logLevel: 'info',
      allowPlaintext: false,
      bodyBytesMax: 10_485_760,
      stopTimeoutMs: 30_000,
      providerHeadersTimeoutMs: 60_000,
      providerIdleTimeoutMs: 120_000,
      callsKeptDays: undefined,
      auditArchive: undefined,
    });
  });

  test('a flag wins over the environment, the environment over the file, the file over the default', () => {
    const yaml = 'log_level: error\nbody_bytes_max: 2048\nstop_timeout_s: 5\n';
    const env = { KEYFOLD_LOG_LEVEL: 'warn', KEYFOLD_BODY_BYTES_MAX: '4096' };
    const config = load({ yaml, env, flags: { log_level: 'debug' } });
    assert.equal(config.logLevel, 'debug');
    assert.equal(config.bodyBytesMax, 4096);
    assert.equal(config.stopTimeoutMs, 5_000);
    assert.equal(config.providerIdleTimeoutMs, 120_000);
  });

  test('an absent flag and an absent variable leave the place to the next source', () => {
    const config = load({
      yaml: 'log_level: error\n',
      env: { KEYFOLD_LOG_LEVEL: undefined },
      flags: { log_level: undefined },
    });
    assert.equal(config.logLevel, 'error');
  });

  test('the result and everything in it is frozen', () => {
    const config = load({ env: { KEYFOLD_TRUSTED_PROXIES: '10.0.0.0/8' } });
    assert.ok(Object.isFrozen(config));
    assert.ok(Object.isFrozen(config.listen));
    assert.ok(Object.isFrozen(config.trustedProxies));
  });

  test('paths start from the working directory, those in a file from the folder of that file', () => {
    const elsewhere = folder('data_dir: data\nadmin_key_file: /run/admin.key\n');
    const cwd = folder('log_level: error\n');
    const env = { KEYFOLD_CONFIG_FILE: join(elsewhere, 'keyfold.yaml'), KEYFOLD_ROOT_KEY_FILE: 'keys/root' };
    const config = loadConfig({ flags: {}, env, cwd });
    assert.equal(config.dataDir, join(elsewhere, 'data'));
    assert.equal(config.adminKeyFile, '/run/admin.key');
    assert.equal(config.rootKeyFile, join(cwd, 'keys', 'root'));
    assert.equal(config.logLevel, 'info');
    assert.equal(loadConfig({ flags: {}, env, cwd, file: 'keyfold.yaml' }).logLevel, 'error');
  });

  test('lists and truth values may be written as YAML has them', () => {
    const config = load({ yaml: 'trusted_proxies: [10.0.0.0/8, "fd00::/8"]\nallow_plaintext: true\n' });
    assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', 'fd00::/8']);
    assert.equal(config.allowPlaintext, true);
  });

  test('an unknown variable is refused and the nearest known one is named', () => {
    const [problem = ''] = problemsOf({ env: { KEYFOLD_LISTN: '127.0.0.1:1' } });
    assert.match(problem, /KEYFOLD_LISTN is not a setting; did you mean KEYFOLD_LISTEN\?/);
    const [units = ''] = problemsOf({ env: { KEYFOLD_STOP_TIMEOUT_MS: '1' } });
    assert.match(units, /did you mean KEYFOLD_STOP_TIMEOUT_S\?/);
  });

  test('an unknown name in the file is refused and the nearest known one is named', () => {
    const [problem = ''] = problemsOf({ yaml: 'data_dri: x\n' });
    assert.match(problem, /keyfold\.yaml: data_dri is not a setting; did you mean data_dir\?/);
    const [inherited = ''] = problemsOf({ yaml: 'constructor: x\n' });
    assert.match(inherited, /constructor is not a setting/);
  });

  test("the command line's and the tests' own variables are none of its business", () => {
    const env = {
      KEYFOLD_URL: 'http://127.0.0.1:1',
      KEYFOLD_ADMIN_KEY: 'x',
      KEYFOLD_TEST_POSTGRES_URL: 'x',
      PATH: '/bin',
    };
    assert.deepEqual(problemsOf({ env }), []);
  });

  test('every problem is reported at once, with the name as it was written', () => {
    const problems = problemsOf({
      yaml: 'stop_timeout_s: soon\n',
      env: { KEYFOLD_LOG_LEVEL: 'loud' },
      flags: { listen: '8080', body_bytes_max: '1' },
    });
    assert.equal(problems.length, 4);
    const text = problems.join('\n');
    assert.match(text, /^--listen must be host:port/m);
    assert.match(text, /^--body-bytes-max must be a whole number, 1024 to/m);
    assert.match(text, /^KEYFOLD_LOG_LEVEL must be one of trace, debug/m);
    assert.match(text, /keyfold\.yaml: stop_timeout_s must be a whole number/);
  });

  test('an empty value is refused: a missing secret must not quietly mean SQLite', () => {
    assert.match(problemsOf({ env: { KEYFOLD_DATABASE_URL: '' } })[0] ?? '', /DATABASE_URL is empty/);
    assert.match(
      problemsOf({ yaml: 'database_url:\n' })[0] ?? '',
      /database_url has a value of the wrong type/,
    );
  });

  test('no message repeats a value, which may be a secret', () => {
    const secret = 'hunter2';
    const texts = [
      ...problemsOf({ env: { KEYFOLD_DATABASE_URL: `mysql://u:${secret}@h/d` } }),
      ...problemsOf({ env: { KEYFOLD_DATABASE_URL: `postgres://u:a#${secret}@h/d` } }),
      ...problemsOf({ env: { KEYFOLD_LISTEN: secret } }),
      ...problemsOf({ yaml: `database_url: "postgres://u:${secret}@h/d\nlisten: [` }),
      ...problemsOf({ yaml: `- ${secret}\n` }),
    ];
    assert.equal(texts.length, 5);
    assert.doesNotMatch(texts.join('\n'), /hunter2/);
  });

  test('a file that is named and missing, or is not YAML, or says a name twice, is refused', () => {
    assert.match(
      problemsOf({ env: { KEYFOLD_CONFIG_FILE: 'none.yaml' } })[0] ?? '',
      /none\.yaml cannot be read: ENOENT/,
    );
    assert.match(problemsOf({ yaml: 'listen: {\n' })[0] ?? '', /line \d is not valid YAML/);
    assert.match(
      problemsOf({ yaml: 'log_level: info\nlog_level: warn\n' })[0] ?? '',
      /line 2 .*DUPLICATE_KEY/,
    );
    assert.deepEqual(problemsOf({ yaml: '# nothing yet\n' }), []);
  });

  test('a certificate without its key, or a key without its certificate, is refused', () => {
    assert.match(
      problemsOf({ env: { KEYFOLD_TLS_CERT_FILE: 'c.pem' } })[0] ?? '',
      /without KEYFOLD_TLS_KEY_FILE/,
    );
    assert.match(
      problemsOf({ env: { KEYFOLD_TLS_KEY_FILE: 'k.pem' } })[0] ?? '',
      /without KEYFOLD_TLS_CERT_FILE/,
    );
  });

  test('audit records are archived for a number of days and into a directory, or not at all', () => {
    for (const [name, value] of [
      ['AUDIT_KEPT_DAYS', '30'],
      ['AUDIT_ARCHIVE_DIR', 'archive'],
    ] as const) {
      const [problem = ''] = problemsOf({ env: { [`KEYFOLD_${name}`]: value } });
      assert.match(problem, new RegExp(`^KEYFOLD_${name} is set without KEYFOLD_AUDIT_`));
    }
  });

  test('an audit webhook without its secret, or a secret without its webhook, is refused', () => {
    const name = 'KEYFOLD_AUDIT_CHECKPOINT_WEBHOOK';
    assert.deepEqual(problemsOf({ env: { [name]: 'https://hooks.example/' } }), [
      `${name} is set without ${name}_SECRET_FILE: set both, or neither`,
    ]);
    assert.deepEqual(problemsOf({ env: { [`${name}_SECRET_FILE`]: '/secret' } }), [
      `${name}_SECRET_FILE is set without ${name}: set both, or neither`,
    ]);
  });
});

describe('listening in public', () => {
  const tls = { KEYFOLD_TLS_CERT_FILE: '/c.pem', KEYFOLD_TLS_KEY_FILE: '/k.pem' };

  test('without TLS it needs KEYFOLD_ALLOW_PLAINTEXT=1, and the message says so', () => {
    for (const listen of [
      '0.0.0.0:80',
      '[::]:80',
      '192.168.1.2:80',
      '[::ffff:10.0.0.1]:80',
      'gateway.example:80',
    ]) {
      const [problem = ''] = problemsOf({ env: { KEYFOLD_LISTEN: listen } });
      assert.match(problem, /KEYFOLD_ALLOW_PLAINTEXT=1/, listen);
      assert.deepEqual(problemsOf({ env: { KEYFOLD_LISTEN: listen, KEYFOLD_ALLOW_PLAINTEXT: '1' } }), []);
      assert.deepEqual(problemsOf({ env: { KEYFOLD_LISTEN: listen, ...tls } }), []);
    }
  });

  test('the control plane is held to the same rule', () => {
    const [problem = ''] = problemsOf({ env: { KEYFOLD_CONTROL_LISTEN: '0.0.0.0:9000' } });
    assert.match(problem, /^KEYFOLD_CONTROL_LISTEN .*KEYFOLD_ALLOW_PLAINTEXT=1/);
  });

  test('this machine alone needs nothing', () => {
    for (const listen of ['127.0.0.1:0', '127.8.9.1:80', '[::1]:8080', 'localhost:8080']) {
      assert.deepEqual(problemsOf({ env: { KEYFOLD_LISTEN: listen } }), [], listen);
    }
  });

  test('two listeners on one address are refused, unless the system chooses their ports', () => {
    const both = (address: string) => ({ KEYFOLD_LISTEN: address, KEYFOLD_CONTROL_LISTEN: address });
    assert.match(problemsOf({ env: both('127.0.0.1:8080') })[0] ?? '', /choose another port/);
    assert.deepEqual(problemsOf({ env: both('127.0.0.1:0') }), []);
  });
});
