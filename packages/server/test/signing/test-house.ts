/** Test support: the rooms of a process, opened without a listener, and keys that sign made in them. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Id } from '@keyfold/protocol';
import { type House, openHouse } from '../../src/house.ts';
import { ORDINARY } from '../../src/keys/key.ts';
import { type Config, initKeyfold } from '../../src/main.ts';
import type { DatabaseKind } from '../databases.ts';
import { CONFIG } from '../keyfold.ts';
import { type Scheme, type Signer, VERSION_OF, rawPublicKey } from './signer.ts';

export interface TestHouse extends AsyncDisposable {
  readonly core: House['core'];
  /** A test key that may sign by this scheme and need not. */
  createSigner(scheme: Scheme): Promise<Signer>;
}

export async function openTestHouse(kind: DatabaseKind): Promise<TestHouse> {
  const dataDir = mkdtempSync(join(tmpdir(), 'keyfold-house-'));
  const place = kind.name === 'postgres' ? await kind.create() : undefined;
  const config: Config = {
    ...CONFIG,
    dataDir,
    databaseUrl: place?.location,
    rootKeyFile: join(dataDir, 'root.key'),
    adminKeyFile: join(dataDir, 'admin.key'),
  };
  await initKeyfold(config, { write: () => undefined });
  const { core } = await openHouse(config);
  return {
    core,
    createSigner: (scheme) => createSigner(core, scheme),
    async [Symbol.asyncDispose]() {
      await core.database.close();
      await place?.remove();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function createSigner(core: House['core'], scheme: Scheme): Promise<Signer> {
  const [project] = await core.database.read((db) =>
    db.selectFrom('projects').select(['id', 'organization_id']),
  );
  const pair = scheme === 'rfc9421 ed25519' ? generateKeyPairSync('ed25519') : undefined;
  const algorithm = pair === undefined ? 'hmac-sha256' : 'ed25519';
  const { key, secret, steps } = core.issuer.issue({
    ...ORDINARY,
    organizationId: project?.organization_id as Id<'organization'>,
    projectId: project?.id as Id<'project'>,
    kind: 'test',
    name: undefined,
    permissions: ['chat'],
    models: undefined,
    networks: undefined,
    limits: { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined },
    expiresAtMs: undefined,
    signing: { required: false, versions: [VERSION_OF[scheme]], algorithm },
    autoRotate: false,
    rotationIntervalS: 86_400,
    metadata: undefined,
  });
  const publicKey = pair && Buffer.from(rawPublicKey(pair.publicKey), 'base64url');
  const signing = core.signingSecrets.issue(key, { publicKey });
  await core.database.commit({ steps: [...steps, ...signing.steps] });
  return { scheme, id: key.id, apiKey: secret, secret: signing.secret ?? '', privateKey: pair?.privateKey };
}
