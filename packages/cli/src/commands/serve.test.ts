import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { run } from '../../test/run.ts';
import type { ServerModule } from '../context.ts';
import type { Config } from '../server-config.ts';

const ESCAPE = '\u001b';

/** A server that is only asked to start and stop. */
function fakeServer(parts: Partial<ServerModule>): ServerModule {
  const refuse = () => Promise.reject(new Error('not expected here'));
  return { startKeyfold: refuse, initKeyfold: refuse, ...parts };
}

/** Signals that a test sends when it likes. */
function createSignals() {
  const listeners = new Map<string, () => void>();
  return {
    onSignal: (signal: string, listener: () => void) => void listeners.set(signal, listener),
    send: (signal: string) => listeners.get(signal)?.(),
  };
}

describe('keyfold serve', () => {
  test('runs with the configuration of flags and environment until a signal, and stops once', async () => {
    const signals = createSignals();
    let config: Config | undefined;
    let stops = 0;
    const server = fakeServer({
      startKeyfold: (given, output) => {
        config = given;
        output.write('from the server\n');
        setImmediate(() => signals.send('SIGTERM'));
        const stop = () => Promise.resolve(void stops++);
        return Promise.resolve({ url: 'http://127.0.0.1:9000', stop });
      },
    });
    const argv = ['serve', '--listen', '127.0.0.1:9000', '--allow-plaintext'];
    const env = { KEYFOLD_LISTEN: '127.0.0.1:1', KEYFOLD_LOG_LEVEL: 'warn' };
    const { code, stdout } = await run(argv, { server, env, onSignal: signals.onSignal });
    assert.equal(code, 0);
    assert.equal(stops, 1);
    assert.deepEqual([config?.listen.port, config?.logLevel, config?.allowPlaintext], [9000, 'warn', true]);
    assert.equal(stdout, 'from the server\n');
  });

  test('a second signal ends the process at once with 1', async () => {
    const signals = createSignals();
    const codes: number[] = [];
    let stops = 0;
    const { promise: stopped, resolve: finishStop } = Promise.withResolvers<void>();
    const server = fakeServer({
      startKeyfold: () => {
        setImmediate(() => signals.send('SIGINT'));
        const stop = () => {
          stops++;
          setImmediate(() => signals.send('SIGTERM'));
          return stopped;
        };
        return Promise.resolve({ url: 'http://127.0.0.1:9000', stop });
      },
    });
    const exit = (code: number) => {
      codes.push(code);
      finishStop();
    };
    await run(['serve'], { server, onSignal: signals.onSignal, exit });
    assert.deepEqual([codes, stops], [[1], 1]);
  });

  test('a signal that comes while it starts still stops it in order', async () => {
    const signals = createSignals();
    let stops = 0;
    const server = fakeServer({
      startKeyfold: async () => {
        signals.send('SIGTERM');
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        return { url: 'http://127.0.0.1:9000', stop: () => Promise.resolve(void stops++) };
      },
    });
    const { code } = await run(['serve'], { server, onSignal: signals.onSignal });
    assert.deepEqual([code, stops], [0, 1]);
  });

  test('a start that fails prints one line with what to do, and exits with 1', async () => {
    const cause = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:8080'), {
      code: 'EADDRINUSE',
    });
    const server = fakeServer({
      startKeyfold: () => Promise.reject(new Error(`${cause.message}\n  at x`, { cause })),
    });
    const { code, stderr } = await run(['serve'], { server });
    assert.equal(code, 1);
    assert.equal(
      stderr,
      'error: Keyfold did not start: listen EADDRINUSE: address already in use 127.0.0.1:8080\n' +
        'Another program listens there: stop it, or choose another address with --listen HOST:PORT.\n',
    );
  });

  test('a stop that fails exits with 1', async () => {
    const signals = createSignals();
    const server = fakeServer({
      startKeyfold: () => {
        setImmediate(() => signals.send('SIGTERM'));
        return Promise.resolve({
          url: 'http://a',
          stop: () => Promise.reject(new Error('the disk is gone')),
        });
      },
    });
    const { code, stderr } = await run(['serve'], { server, onSignal: signals.onSignal });
    assert.equal(code, 1);
    assert.match(stderr, /the disk is gone/);
  });

  test('a configuration that cannot be used never starts a server', async () => {
    const { code, stderr } = await run(['serve', '--listen', '0.0.0.0:80'], { server: fakeServer({}) });
    assert.equal(code, 2);
    assert.match(stderr, /KEYFOLD_ALLOW_PLAINTEXT=1/);
  });
});

describe('keyfold init', () => {
  test('hands the configuration and the output over', async () => {
    const server = fakeServer({
      initKeyfold: (config, output) => Promise.resolve(output.write(`made in ${config.dataDir}\n`)),
    });
    const { code, stdout } = await run(['init', '--data-dir', '/var/lib/keyfold'], { server });
    assert.deepEqual([code, stdout], [0, 'made in /var/lib/keyfold\n']);
  });
});

describe('keyfold config', () => {
  test('prints every setting with its source, and no password', async () => {
    const env = { KEYFOLD_DATABASE_URL: 'postgres://keyfold:hunter2@db/keyfold' };
    const table = await run(['config', '--log-level', 'debug'], { env });
    assert.equal(table.code, 0);
    assert.match(table.stdout, /^KEYFOLD_LOG_LEVEL +debug +flag$/m);
    assert.match(table.stdout, /^KEYFOLD_DATABASE_URL +postgres:\/\/keyfold:\*\*\*@db\/keyfold +env$/m);
    const json = await run(['config', '--json'], { env });
    assert.doesNotMatch(table.stdout + json.stdout, /hunter2/);
    const { settings } = JSON.parse(json.stdout) as { settings: { name: string; source: string }[] };
    assert.equal(settings.find(({ name }) => name === 'database_url')?.source, 'env');
  });

  test('the same text has colour on a terminal alone', async () => {
    const onTerminal = await run(['config'], { isTerminal: true });
    assert.ok(onTerminal.stdout.includes(ESCAPE));
    const withoutColour = await run(['config'], { isTerminal: true, env: { NO_COLOR: '1' } });
    assert.ok(!withoutColour.stdout.includes(ESCAPE));
  });
});
