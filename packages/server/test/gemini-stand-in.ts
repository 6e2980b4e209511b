/** Test support: the Gemini API on a loopback port, which answers as it is told and remembers what it was asked. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AskedContent {
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  /** As it arrived. */
  readonly bytes: Buffer;
}

export interface GeminiStandIn extends AsyncDisposable {
  /** A base URL for a credential. */
  readonly url: string;
  readonly asked: readonly AskedContent[];
  /** What each answer costs, as Google reports it. */
  usageMetadata: Readonly<Record<string, unknown>>;
  /** Answers the next request with this status and error instead. */
  failNext(status: number, name: string, message: string): void;
}

const TEXT = ['Hello', ' from', ' Gemini'];

export async function startGeminiStandIn(): Promise<GeminiStandIn> {
  const asked: AskedContent[] = [];
  const failures: { code: number; status: string; message: string }[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const body = JSON.parse(bytes.toString('utf8')) as AskedContent['body'];
      const path = incoming.url ?? '';
      asked.push({ path, headers: incoming.headers, body, bytes });
      const failure = failures.shift();
      if (failure !== undefined) sendJson(outgoing, failure.code, { error: failure });
      else if (path.endsWith(':countTokens')) sendJson(outgoing, 200, { totalTokens: 42 });
      else if (path.endsWith(':embedContent')) {
        sendJson(outgoing, 200, { embedding: EMBEDDING, usageMetadata: promptOf(standIn) });
      } else if (path.endsWith(':batchEmbedContents')) {
        const requests = body['requests'] as readonly unknown[];
        sendJson(outgoing, 200, {
          embeddings: requests.map(() => EMBEDDING),
          usageMetadata: promptOf(standIn),
        });
      } else if (path.endsWith(':streamGenerateContent?alt=sse')) stream(outgoing, body, standIn);
      else if (path.endsWith(':generateContent')) sendJson(outgoing, 200, answerOf(body, standIn));
      else sendJson(outgoing, 404, { error: { code: 404, status: 'NOT_FOUND', message: path } });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const standIn: GeminiStandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1beta`,
    asked,
    usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 },
    failNext: (code, status, message) => void failures.push({ code, status, message }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return standIn;
}

function promptOf({ usageMetadata }: GeminiStandIn): object {
  return { promptTokenCount: usageMetadata['promptTokenCount'] };
}

const EMBEDDING = { values: [0.25, -0.5] };
const SIGNATURE = 'c2lnbmF0dXJl';

function partsOf(body: AskedContent['body']): readonly object[] {
  const config = body['generationConfig'] as Record<string, unknown> | undefined;
  const thought = config?.['thinkingConfig'] === undefined ? [] : [{ text: 'Let me see.', thought: true }];
  const call = { functionCall: { name: 'weather', args: { city: 'Bern' } }, thoughtSignature: SIGNATURE };
  return [...thought, { text: TEXT.join('') }, ...(body['tools'] === undefined ? [] : [call])];
}

function answerOf(body: AskedContent['body'], { usageMetadata }: GeminiStandIn): object {
  const content = { role: 'model', parts: partsOf(body) };
  return {
    candidates: [{ content, finishReason: 'STOP', index: 0 }],
    usageMetadata,
    modelVersion: 'gemini-test',
    responseId: 'stand-in',
  };
}

function stream(outgoing: ServerResponse, body: AskedContent['body'], standIn: GeminiStandIn): void {
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
  const parts: readonly object[] = [
    ...partsOf(body).filter((part) => !('text' in part) || 'thought' in part),
    ...TEXT.map((text) => ({ text })),
  ];
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const candidate = { content: { role: 'model', parts: [part] }, index: 0 };
    const event = {
      candidates: [isLast ? { ...candidate, finishReason: 'STOP' } : candidate],
      usageMetadata: standIn.usageMetadata,
      modelVersion: 'gemini-test',
      responseId: 'stand-in',
    };
    outgoing.write(`data: ${JSON.stringify(event)}\r\n\r\n`);
  }
  outgoing.end();
}

function sendJson(outgoing: ServerResponse, status: number, body: object): void {
  outgoing.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body));
}
