import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ManualClock } from '../../../test/manual-clock.ts';
import { renderWebhookSecret } from '../../upstream/post-webhook.ts';
import { openSinks } from './open-sinks.ts';

const folder = mkdtempSync(join(tmpdir(), 'keyfold-open-sinks-'));
after(() => rmSync(folder, { recursive: true }));
const secretFile = join(folder, 'secret');
writeFileSync(secretFile, `${renderWebhookSecret(Buffer.alloc(32, 5))}\n`, { mode: 0o600 });
const NOTHING = {
  webhookNetworks: [],
  auditCheckpointFile: undefined,
  auditCheckpointSyslog: undefined,
  auditCheckpointWebhook: undefined,
};
const open = (config: Partial<Parameters<typeof openSinks>[0]>) =>
  openSinks({ ...NOTHING, ...config }, new ManualClock());

describe('the configured sinks', () => {
  test('are those that are named, and none else', async () => {
    assert.deepEqual(open({}), []);
    const sinks = open({
      auditCheckpointFile: join(folder, 'checkpoints'),
      auditCheckpointSyslog: { host: 'logs.example', port: 6514, isTls: true },
      auditCheckpointWebhook: { url: 'https://hooks.example/keyfold', secretFile },
    });
    assert.deepEqual(
      sinks.map(({ name }) => name),
      ['file', 'syslog', 'webhook'],
    );
    await Promise.all(sinks.map((sink) => sink.close()));
  });

  for (const url of ['http://hooks.example/', 'https://127.0.0.1/', 'https://user:password@hooks.example/']) {
    test(`a webhook at ${url} ends the start`, () => {
      assert.throws(
        () => open({ auditCheckpointWebhook: { url, secretFile } }),
        /^Error: KEYFOLD_AUDIT_CHECKPOINT_WEBHOOK is not allowed: /,
      );
    });
  }

  test('a secret that others may read, or that is none, ends the start', () => {
    const read = join(folder, 'read');
    writeFileSync(read, 'whsec_x', { mode: 0o644 });
    const none = join(folder, 'none');
    writeFileSync(none, 'secret', { mode: 0o600 });
    const webhook = (file: string) =>
      open({ auditCheckpointWebhook: { url: 'https://hooks.example/', secretFile: file } });
    assert.throws(() => webhook(read), /may be read by others .*chmod 600/);
    assert.throws(() => webhook(none), /holds no secret/);
  });
});
