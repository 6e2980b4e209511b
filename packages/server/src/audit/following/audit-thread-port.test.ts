import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import type { MessagePort } from 'node:worker_threads';
import { AuditThreadPort } from './audit-thread-port.ts';

/** Says that it is there, and dies of the answer. */
const MORTAL = `
  import { parentPort, workerData } from 'node:worker_threads';
  parentPort.on('message', () => process.exit());
  workerData.judging.on('message', () => { throw new Error('dead'); });
  workerData.judging.postMessage('here');
`;

describe('the audit thread', () => {
  test('is started at once where it is asked to, and again when it has died, with a new port for the rules', async () => {
    const failures: unknown[] = [];
    const ports: MessagePort[] = [];
    let onPort = Promise.withResolvers<MessagePort>();
    const thread = new AuditThreadPort({
      settings: { place: { dialect: 'sqlite', directory: '/nowhere' } },
      entry: new URL(`data:text/javascript,${encodeURIComponent(MORTAL)}`),
      onStart: (port) => onPort.resolve(port),
      onFailure: (error) => failures.push(error),
    });
    for (let life = 0; life < 2; life++) {
      if (life === 0) thread.start();
      const port = await onPort.promise;
      onPort = Promise.withResolvers();
      const [said] = await once(port, 'message');
      assert.equal(said, 'here');
      const closed = once(port, 'close');
      if (life === 0) port.postMessage('die');
      else await thread.close();
      await closed;
      ports.push(port);
    }
    assert.equal(new Set(ports).size, 2);
    assert.match(String(failures[0]), /dead/);
    thread.start();
  });
});
