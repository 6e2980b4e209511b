/** Responsible for asking Anthropic for its models (`GET /v1/models`, "List Models", platform.claude.com). */
import type { ModelListing } from '../provider.ts';
import { readModelNames } from '../read-model-names.ts';
import { API_VERSION } from './build-request.ts';

/** The most that a page may have; 20 without it. */
const MODELS_MAX = 1_000;

export const listModels: ModelListing = {
  buildRequest: (secret) => ({
    method: 'GET',
    path: `/models?limit=${MODELS_MAX}`,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'anthropic-version': API_VERSION,
      'x-api-key': secret,
      'user-agent': 'keyfold',
    },
  }),
  read: (body) => readModelNames(body, { list: 'data', name: 'id' }),
};
