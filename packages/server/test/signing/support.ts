/** Test support: signed requests changed, sent byte for byte, and what became of them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { type PresentedRequest, SIGNATURE_HEADERS } from '../../src/signing/presented.ts';
import { type TestKeyfold, sendJson } from '../keyfold.ts';
import type { KeyfoldProcess } from '../keyfold-process.ts';
import { type RawAnswer, exchange } from './pump.ts';
import { type Draft, type Header, type Scheme, type Signer, type Wire, draftChat, sign } from './signer.ts';

export * from './signer.ts';

export function headerOf({ headers }: Wire, name: string): string {
  const found = headers.find(([each]) => each.toLowerCase() === name.toLowerCase());
  assert.ok(found, `there is no ${name}`);
  return found[1];
}

/** With this value in place of what it had; without the header when the value is `undefined`. */
export function withHeader(wire: Wire, name: string, value: string | undefined): Wire {
  const headers = wire.headers.flatMap((header): Header[] => {
    if (header[0].toLowerCase() !== name.toLowerCase()) return [header];
    return value === undefined ? [] : [[header[0], value]];
  });
  return { ...wire, headers };
}

/** With one more header, whether or not there is one of that name. */
export function addHeader(wire: Wire, name: string, value: string): Wire {
  return { ...wire, headers: [...wire.headers, [name, value]] };
}

export function toBytes({ method, target, headers, body }: Wire): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const length = body.length > 0 || method !== 'GET' ? `Content-Length: ${body.length}\r\n` : '';
  const head = `${method} ${target} HTTP/1.1\r\n${lines}${length}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

export function send(url: string, wire: Wire): Promise<RawAnswer> {
  return exchange(url, toBytes(wire));
}

/** Signs and sends. */
export function call(url: string, signer: Signer, fields: Partial<Draft> = {}): Promise<RawAnswer> {
  return send(url, sign(signer, draftChat(url, fields)));
}

export const INVALID_SIGNATURE =
  '{"error":{"message":"The request must be signed, and this signature does not hold.","type":"authentication_error","param":null,"code":"invalid_signature"}}';

/** The one answer to every request whose signature is not accepted, whatever the reason. */
export function assertInvalidSignature(answer: RawAnswer): void {
  assert.equal(answer.status, 401, answer.text);
  assert.equal(answer.text, INVALID_SIGNATURE);
}

/** Rows that a request of this scheme leaves in `claims`: its nonce, and of version 1 its MAC, too. */
export function claimsOf(scheme: Scheme): number {
  return scheme === 'v1' ? 2 : 1;
}

/** Mulberry32: small, and the same everywhere. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** As the listener would present it. */
export function present({ method, target, headers }: Wire): PresentedRequest {
  const [path = '', query = ''] = target.split('?');
  const values = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
  const signature = new Map(
    SIGNATURE_HEADERS.flatMap((name) => {
      const value = values.get(name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  return {
    method,
    path,
    query,
    secret: values.get('authorization')?.replace('Bearer ', ''),
    signature: signature.size === 0 ? undefined : signature,
    header: (name) => values.get(name),
  };
}

export function adminOf(keyfold: KeyfoldProcess): Pick<TestKeyfold, 'request'> {
  return {
    request: (method, path, body) =>
      sendJson(`${keyfold.url}${path}`, { method, body, options: { key: keyfold.adminKey } }),
  };
}

/** How often each reason was refused to whom nothing was proved, by `code, reason, target`; whole once the process has ended. */
export async function sumRefusals(keyfold: KeyfoldProcess): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const { record } of await query(keyfold, 'select record from audit_records order by node, sequence')) {
    const event = JSON.parse(String(record)) as RefusalEvent;
    if (event.action !== 'unauthenticated.refused') continue;
    const { code, reason = '', count } = event.detail;
    const line = `${code}, ${reason}, ${event.target}`;
    sums.set(line, (sums.get(line) ?? 0) + count);
  }
  return sums;
}

interface RefusalEvent {
  readonly action: string;
  readonly target: string;
  readonly detail: { readonly code: string; readonly reason?: string; readonly count: number };
}

/** Rows of the database of a process, read behind its back. */
export async function query(keyfold: KeyfoldProcess, sql: string): Promise<Record<string, unknown>[]> {
  if (keyfold.databaseUrl === undefined) {
    const db = new DatabaseSync(join(keyfold.dataDir, 'data', 'keyfold.db'), { readOnly: true });
    try {
      return db.prepare(sql).all();
    } finally {
      db.close();
    }
  }
  const client = new pg.Client({ connectionString: keyfold.databaseUrl });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
