/** The SQLite worker thread: one connection, writing or reading, so that no fsync and no report stalls the event loop. */
import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { ChainState } from '../audit-chain.ts';
import type { Opened, Request, Response, WireBatch, WorkerSettings } from './messages.ts';
import { openConnection } from './open-connection.ts';
import { SqliteWriter } from './writer.ts';

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');
const settings = workerData as WorkerSettings;

/** Answers what the writer's chain begins from. */
function serve(db: DatabaseSync, release: () => void): ChainState | undefined {
  const writer = settings.role === 'writer' ? new SqliteWriter(db) : undefined;
  port?.on('message', (request: Request) => {
    port.postMessage(answer(request, db, writer));
    if (request.kind === 'close') {
      db.close();
      release();
      port.close();
    }
  });
  return writer?.chain.state;
}

function answer(request: Request, db: DatabaseSync, writer: SqliteWriter | undefined): Response {
  try {
    switch (request.kind) {
      case 'commit': {
        if (writer === undefined) throw new Error('a reader does not write');
        const batch = JSON.parse(request.batch) as WireBatch;
        const results = JSON.stringify(writer.run(batch, request.texts.split('\n')));
        return { id: request.id, results, chain: writer.chain.report() };
      }
      case 'read': {
        const statement = db.prepare(request.sql);
        statement.setReadBigInts(true);
        return { id: request.id, rows: statement.all(...request.values) };
      }
      case 'close':
        return { id: request.id, closed: true };
    }
  } catch (error) {
    return { id: request.id, error: error instanceof Error ? error.message : String(error) };
  }
}

try {
  const { db, release } = openConnection(settings);
  const chain = serve(db, release);
  port.postMessage({ opened: true, chain } satisfies Opened);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  port.postMessage({ opened: false, error: message, locked: message.includes('is locked') } satisfies Opened);
}
