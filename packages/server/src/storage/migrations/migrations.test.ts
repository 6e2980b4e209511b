import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { renderMigrations } from './migration.ts';

/** SHA-256 of each migration's statements, joined by line feeds: databases exist that have run them. */
const RELEASED = {
  sqlite: [
    '8b27b61fcdf0a3f9df1673e55a31de9fcbc9f03b652aa0196b4b8ee71de04ce0',
    'e87da966a27b35ac3ee70b4ec76ea8e34833e4ed186be0af2baa5d772cc0e144',
    '73514f0877d8947bed2768a298e086249e2056136185a3e8575ad082ed572f0e',
    '099c910bc0c4adbc0b668ee53a2a130b495ff53acbc9b258fa7cc72e4161e76a',
    '242850da5b709e9153245685f5b309957fc6a9f1177ddeb6a73b1fc6ddcb8620',
    'b486cdbc46c84bfe197b64862fcd64b31239eb3a4322d0ec3a7b6d0d9687a6c4',
    'd7ed1ad089a2aac1f9034f0665856fbd59f462e90ab700edd3f57771348db3eb',
    '6f83a79e9c6ae01c962857078f904ccc753c4f0f16555edc54972e79820413d5',
    'bdcd77fe72b69a0252c0cbb9283f631e48a0e47b1ed8c8d635445609da93d1d8',
    '1656a4a4e90094d6147e55e187ee35fa4623260187b292f0d997cbbfbd2e30a4',
    '4ab91998a235b723e8854188c65b8b276e59ca43fa2b6ce7ec53d92ce886e0f1',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ],
  postgres: [
    '5077d764abd41a55038f02d8c9f37a7be89435dfc91c8db8c2aba27e34e8e758',
    'b870a1cc1f7dd3e3b7da9953007ef0e9bd4d7525077f2dc6a0b732bae6f343de',
    '73514f0877d8947bed2768a298e086249e2056136185a3e8575ad082ed572f0e',
    '099c910bc0c4adbc0b668ee53a2a130b495ff53acbc9b258fa7cc72e4161e76a',
    'a6576a690bbdff6cb074bc08bd242725a9e07d191d96e75f725e17d069cee1a3',
    'b486cdbc46c84bfe197b64862fcd64b31239eb3a4322d0ec3a7b6d0d9687a6c4',
    'd7ed1ad089a2aac1f9034f0665856fbd59f462e90ab700edd3f57771348db3eb',
    '6f83a79e9c6ae01c962857078f904ccc753c4f0f16555edc54972e79820413d5',
    'bdcd77fe72b69a0252c0cbb9283f631e48a0e47b1ed8c8d635445609da93d1d8',
    '1656a4a4e90094d6147e55e187ee35fa4623260187b292f0d997cbbfbd2e30a4',
    '4ab91998a235b723e8854188c65b8b276e59ca43fa2b6ce7ec53d92ce886e0f1',
    '9b740a8fdc3155cb279e309ae98458a23effc3e06d281966ac36142e95c36a36',
  ],
} as const satisfies Record<'sqlite' | 'postgres', readonly string[]>;

for (const dialect of ['sqlite', 'postgres'] as const) {
  test(`a migration that was released is what it was, on ${dialect}`, () => {
    const digests = renderMigrations(dialect).map((statements) => hash('sha256', statements.join('\n')));
    assert.deepEqual(digests.slice(0, RELEASED[dialect].length), RELEASED[dialect]);
  });
}
