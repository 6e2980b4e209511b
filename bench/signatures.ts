/** Signs calls ahead of a load, as a client of version 2 would: no load generator here computes an HMAC as it goes. */
import { createHmac, hash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Call, SignedCall } from './target.ts';

export function describeSignedCall(
  call: Call,
  of: { readonly keyId: string; readonly secret: string; readonly directory: string },
): SignedCall {
  return {
    ...call,
    prepare: (count) => {
      const { host, pathname } = new URL(call.url);
      const timestamp = String(Math.floor(Date.now() / 1000));
      const digest = hash('sha256', call.body);
      const lines: string[] = [];
      for (let index = 0; index < count; index++) {
        const nonce = randomBytes(16).toString('base64url');
        const text = `KF2-HMAC-SHA256\n${of.keyId}\n${timestamp}\n${nonce}\nPOST\n${host}\n${pathname}\n\napplication/json\n\n${digest}`;
        lines.push(`${nonce} ${createHmac('sha256', of.secret).update(text).digest('hex')}`);
      }
      const file = join(of.directory, 'signatures.txt');
      writeFileSync(file, `${lines.join('\n')}\n`);
      return {
        file,
        headers: { 'x-signature-version': '2', 'x-key-id': of.keyId, 'x-timestamp': timestamp },
      };
    },
  };
}
