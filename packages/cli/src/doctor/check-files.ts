/** Checks what a server keeps on disk: the data directory and the root key, and that nobody else may read them. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Config } from '../server-config.ts';
import { type Finding, failed, ok, reasonOf } from './finding.ts';

const OTHERS_MAY = 0o077;
const ROOT_KEY = /^[0-9a-f]{64}$/;
const INIT = 'Run keyfold init, or keyfold serve: the first start makes it.';

export function checkDataDirectory({ dataDir }: Config): Finding {
  const name = 'data directory';
  if (!existsSync(dataDir)) return failed(name, `${dataDir} does not exist`, INIT);
  if (!statSync(dataDir).isDirectory()) {
    return failed(name, `${dataDir} is not a directory`, 'Choose another one with KEYFOLD_DATA_DIR.');
  }
  return describeOpenMode(name, dataDir, '700') ?? ok(name, dataDir);
}

export function checkRootKey({ rootKeyFile }: Config): Finding {
  const name = 'root key';
  if (!existsSync(rootKeyFile)) {
    const advice = `${INIT} If there was one, bring it back from its backup: without it no sealed secret opens.`;
    return failed(name, `${rootKeyFile} does not exist`, advice);
  }
  try {
    const open = describeOpenMode(name, rootKeyFile, '600');
    if (open !== undefined) return open;
    if (ROOT_KEY.test(readFileSync(rootKeyFile, 'utf8').trim())) return ok(name, rootKeyFile);
    return failed(
      name,
      `${rootKeyFile} does not hold 64 hexadecimal characters`,
      'Bring it back from its backup; do not make a new one over a database that has data.',
    );
  } catch (error) {
    return failed(
      name,
      `${rootKeyFile} cannot be read (${reasonOf(error)})`,
      'Run this as the user that runs the server, or correct the owner of the file.',
    );
  }
}

/** Windows has no modes: there the owner's folder protects. */
function describeOpenMode(name: string, path: string, mode: string): Finding | undefined {
  const found = statSync(path).mode & 0o777;
  if (process.platform === 'win32' || (found & OTHERS_MAY) === 0) return undefined;
  return failed(
    name,
    `${path} is open to other users (mode ${found.toString(8)})`,
    `Run chmod ${mode} ${path}`,
  );
}
