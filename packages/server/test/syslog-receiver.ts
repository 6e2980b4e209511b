/** Test support: a syslog receiver over TCP or TLS that reads messages by their counted bytes, as RFC 6587 has them. */
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export interface SyslogReceiver extends AsyncDisposable {
  readonly port: number;
  readonly messages: readonly string[];
  close(): Promise<void>;
}

/** `port` 0 takes any free one. */
export async function startSyslog({ isTls = false, port = 0 } = {}): Promise<SyslogReceiver> {
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  const take = (socket: Socket) => {
    sockets.add(socket);
    const chunks: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => messages.push(...readFrames(Buffer.concat(chunks))));
    socket.on('close', () => sockets.delete(socket));
  };
  const server: Server = isTls
    ? createTlsServer({ key: pem('PRIVATE KEY', KEY), cert: CERTIFICATE }, take)
    : createServer(take);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, messages, close, [Symbol.asyncDispose]: close };
}

/** Throws on anything but whole messages, each after its number of bytes and a space. */
function readFrames(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const [head = '', count = ''] = /^([1-9]\d*) /.exec(bytes.toString('latin1', at, at + 12)) ?? [];
    const from = at + head.length;
    at = from + Number(count);
    if (count === '' || at > bytes.length) throw new Error('no frame of RFC 6587');
    messages.push(bytes.toString('utf8', from, at));
  }
  return messages;
}

function pem(label: string, base64: string): string {
  return `-----BEGIN ${label}-----\n${base64.replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;
}

/** A key that is known to everybody, for syslog.test and 127.0.0.1, until the year 2126. */
const KEY =
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6St3k5Jad7to2hNsB9PJ8N5g97N9U8AWKb/d/BFdEnyhRANCAARI' +
  'X77NY7YWr9eyM76EbE2hUrzsNkyyJUXigTDcwnS/nUUTzIhwvj2QGq0W+Jr1Y+V7AHZQWdFQgPM9TYy83llo';

export const CERTIFICATE = pem(
  'CERTIFICATE',
  'MIIBoDCCAUegAwIBAgIUBRgF0pvqOtnQl+mbRN9hUmnRqLkwCgYIKoZIzj0EAwIwFjEUMBIGA1UEAwwLc3lzbG9nLnRlc3QwIBcN' +
    'MjYxMTIzMTczMzU0WhgPMjEyNjEwMzAxNzMzNTRaMBYxFDASBgNVBAMMC3N5c2xvZy50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D' +
    'AQcDQgAESF++zWO2Fq/XsjO+hGxNoVK87DZMsiVF4oEw3MJ0v51FE8yIcL49kBqtFvia9WPlewB2UFnRUIDzPU2MvN5ZaKNxMG8w' +
    'HQYDVR0OBBYEFGXrvZmz1534J2USkkVeb0ZclK9yMB8GA1UdIwQYMBaAFGXrvZmz1534J2USkkVeb0ZclK9yMA8GA1UdEwEB/wQF' +
    'MAMBAf8wHAYDVR0RBBUwE4ILc3lzbG9nLnRlc3SHBH8AAAEwCgYIKoZIzj0EAwIDRwAwRAIgVuYC+M36I4yW94onu6J90sXiYQrJ' +
    'jp6AFAW9IIX17O4CIDjqhFB8rjZOu5IqMoXHNIdX9k5IkpFAOSHYel3GJcA/',
);
