/** Test support: signs checkpoints of audit chains, as rows of a database or as notes, with a key that nobody else has. */
import { type KeyObject, generateKeyPairSync, hash, sign } from 'node:crypto';
import {
  checkpointOrigin,
  noteKeyIdInput,
  renderCheckpoint,
  renderNote,
  renderVerifierKey,
} from '@keyfold/protocol';
import { headText } from '../../src/storage/audit-chain.ts';
import type { CheckpointKey } from '../../src/sealing/checkpoint-key.ts';
import type { Database } from '../../src/storage/database.ts';

export interface ChainEnd {
  readonly node: number;
  readonly sequence: number;
  readonly head: Uint8Array;
}

/** Who signs checkpoints, with a key that nobody else has. */
export class LogSigner {
  readonly name: string;
  readonly verifierKey: string;
  readonly #privateKey: KeyObject;
  readonly #keyId: Uint8Array;

  readonly #own: CheckpointKey | undefined;

  /** With the key of a server it signs as that server does. */
  constructor(name = 'keyfold-0102030405060708', own?: CheckpointKey) {
    this.#own = own;
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const bytes = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
    this.name = name;
    this.#privateKey = privateKey;
    this.#keyId = hash('sha256', noteKeyIdInput(name, bytes), 'buffer').subarray(0, 4);
    this.verifierKey =
      own?.vkey ?? renderVerifierKey({ name, keyId: this.#keyId, publicKey: Uint8Array.from(bytes) });
  }

  sign({ node, sequence, head }: ChainEnd): string {
    if (this.#own !== undefined) return this.#own.sign({ node, size: sequence, head: Uint8Array.from(head) });
    const text = renderCheckpoint({ origin: checkpointOrigin(this.name, node), size: sequence, head });
    const signature = sign(null, Buffer.from(text, 'utf8'), this.#privateKey);
    return renderNote({ text, signatures: [{ name: this.name, keyId: this.#keyId, signature }] });
  }

  /** Signs what the chain of a node has come to, into the database. */
  async checkpoint(database: Database, node: number, atMs: number): Promise<string> {
    const [last] = await database.read((db) =>
      db
        .selectFrom('audit_records')
        .select(['sequence', 'head'])
        .where('node', '=', BigInt(node))
        .orderBy('sequence', 'desc')
        .limit(1),
    );
    if (last === undefined) throw new Error(`node ${node} has no records`);
    const note = this.sign({ node, sequence: Number(last.sequence), head: last.head });
    const row = { node, size: last.sequence, at: atMs, head: headText(last.head), note };
    await database.commit({
      steps: [database.step((db) => db.insertInto('audit_checkpoints').values(row))],
    });
    return note;
  }
}
