/** Responsible for asking an OpenAI-compatible server for its models (`GET /models`, "Models", OpenAI's API reference). */
import type { ModelListing } from '../provider.ts';
import { readModelNames } from '../read-model-names.ts';

export const listModels: ModelListing = {
  buildRequest: (secret) => ({
    method: 'GET',
    path: '/models',
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: `Bearer ${secret}`,
      'user-agent': 'keyfold',
    },
  }),
  read: (body) => readModelNames(body, { list: 'data', name: 'id' }),
};
