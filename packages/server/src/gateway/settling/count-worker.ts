/** The thread that counts: beside the event loop, since a long answer takes milliseconds. */
import { parentPort } from 'node:worker_threads';
import { providerDialect } from '../../dialects/registry.ts';
import { countGenerated, countRequest } from './count-tokens.ts';
import type { CountAnswer, CountJob } from './token-counter.ts';

parentPort?.on('message', ({ id, dialect, request, streamed }: CountJob) => {
  const answer: CountAnswer = {
    id,
    inputTokens: countRequest(Buffer.from(request)),
    outputTokens: countGenerated(providerDialect(dialect), Buffer.from(streamed)),
  };
  parentPort?.postMessage(answer);
});
