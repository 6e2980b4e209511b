/** A server for tests that checks, with nothing of ours, the signature of what really arrives on the wire. */
import { createHash, createHmac, verify } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Arrival {
  readonly method: string;
  /** As in the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** `good`, or what is wrong with its signature. */
  readonly verdict: string;
  readonly nonce: string;
}

export interface Verifier extends AsyncDisposable {
  readonly origin: string;
  readonly arrivals: Arrival[];
  /** How a request is answered once its signature is good: with 200 and no body where this is not set. */
  answer: ((response: ServerResponse, arrival: Arrival) => void) | undefined;
  /** What the server takes for the time, in Unix seconds. */
  nowS: () => number;
}

export interface VerifierKeys {
  readonly keyId: string;
  readonly apiKey?: string;
  readonly secret?: string;
  readonly publicPem?: string;
}

const BEARERS = ['authorization', 'x-api-key', 'x-goog-api-key'];

export async function startVerifier(keys: VerifierKeys): Promise<Verifier> {
  const server = createServer((request, response) => {
    void receive(request).then((wire) => {
      const verdict = judge(wire, keys, verifier.nowS());
      const arrival = { ...wire, verdict, nonce: nonceOf(wire.headers) };
      verifier.arrivals.push(arrival);
      if (verdict !== 'good') {
        response.setHeader('x-keyfold-time', String(verifier.nowS()));
        response.writeHead(401).end(verdict);
      } else if (verifier.answer === undefined) response.end();
      else verifier.answer(response, arrival);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const verifier: Verifier = {
    origin: `http://127.0.0.1:${port}`,
    arrivals: [],
    answer: undefined,
    nowS: () => Math.floor(Date.now() / 1000),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return verifier;
}

type Wire = Omit<Arrival, 'verdict' | 'nonce'>;

async function receive(request: IncomingMessage): Promise<Wire> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers: Record<string, string> = {};
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index]?.toLowerCase() ?? '';
    headers[name] = name in headers ? 'sent twice' : (request.rawHeaders[index + 1] ?? '');
  }
  return { method: request.method ?? '', target: request.url ?? '', headers, body: Buffer.concat(chunks) };
}

function judge(wire: Wire, keys: VerifierKeys, nowS: number): string {
  const { headers } = wire;
  if ('signature-input' in headers) return judgeHttpSignature(wire, keys, nowS);
  if (Math.abs(Number(headers['x-timestamp']) - nowS) > 60) return 'time';
  if ('x-signature-version' in headers) return judgeVersion2(wire, keys);
  return judgeVersion1(wire, keys);
}

function judgeVersion1({ headers, body }: Wire, keys: VerifierKeys): string {
  if (headers['authorization'] !== `Bearer ${keys.apiKey}`) return 'bearer';
  if ('x-key-id' in headers || 'x-api-key' in headers) return 'headers of another scheme';
  const mac = createHmac('sha256', keys.secret ?? '')
    .update(`${keys.apiKey}${headers['x-timestamp']}${headers['x-nonce']}`)
    .update(body);
  return headers['x-signature'] === mac.digest('hex') ? 'good' : 'signature';
}

function judgeVersion2({ method, target, headers, body }: Wire, keys: VerifierKeys): string {
  if (BEARERS.some((name) => name in headers)) return 'a key was sent';
  if (headers['x-signature-version'] !== '2' || headers['x-key-id'] !== keys.keyId) return 'key id';
  const [path, query] = splitTarget(target);
  const lines = [
    'KF2-HMAC-SHA256',
    keys.keyId,
    headers['x-timestamp'],
    headers['x-nonce'],
    method,
    headers['host'],
    path,
    query,
    headers['content-type'] ?? '',
    headers['idempotency-key'] ?? '',
    createHash('sha256').update(body).digest('hex'),
  ];
  const mac = createHmac('sha256', keys.secret ?? '')
    .update(lines.join('\n'))
    .digest('hex');
  const sent = headers['x-signature']?.split(' ') ?? [];
  return sent.length <= 2 && sent.includes(mac) ? 'good' : 'signature';
}

const INPUT = /^keyfold=(\(("[^)]*")\);created=(\d{10});nonce="([\w-]+)";keyid="(\w+)";tag="keyfold")$/;

function judgeHttpSignature(wire: Wire, keys: VerifierKeys, nowS: number): string {
  const { headers, body } = wire;
  if (BEARERS.some((name) => name in headers)) return 'a key was sent';
  const [, raw = '', names = '', created = '', , keyId] = INPUT.exec(headers['signature-input'] ?? '') ?? [];
  if (keyId !== keys.keyId) return 'key id';
  if (Math.abs(Number(created) - nowS) > 60) return 'time';
  const digest = createHash('sha256').update(body).digest('base64');
  if (headers['content-digest'] !== `sha-256=:${digest}:`) return 'digest';
  const [path, query] = splitTarget(wire.target);
  const values = new Map([
    ...Object.entries(headers),
    ['@method', wire.method] as const,
    ['@authority', headers['host'] ?? ''] as const,
    ['@path', path] as const,
    ['@query', `?${query}`] as const,
  ]);
  const covered = names.split(' ').map((name) => name.slice(1, -1));
  const required = ['@method', '@authority', '@path', '@query', 'content-digest'];
  for (const name of ['content-type', 'idempotency-key']) if (name in headers) required.push(name);
  if (!required.every((name) => covered.includes(name))) return 'not covered';
  const lines = covered.map((name) => `"${name}": ${values.get(name)}`);
  const base = Buffer.from([...lines, `"@signature-params": ${raw}`].join('\n'));
  const signature = Buffer.from(/^keyfold=:(.*):$/.exec(headers['signature'] ?? '')?.[1] ?? '', 'base64');
  const isGood =
    keys.publicPem === undefined
      ? createHmac('sha256', keys.secret ?? '')
          .update(base)
          .digest()
          .equals(signature)
      : verify(null, base, keys.publicPem, signature);
  return isGood ? 'good' : 'signature';
}

function splitTarget(target: string): [string, string] {
  const border = target.indexOf('?');
  return border === -1 ? [target, ''] : [target.slice(0, border), target.slice(border + 1)];
}

function nonceOf(headers: Readonly<Record<string, string>>): string {
  return headers['x-nonce'] ?? INPUT.exec(headers['signature-input'] ?? '')?.[4] ?? '';
}
