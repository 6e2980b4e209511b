/** Responsible for asking the Gemini API for its models (`models.list`, ai.google.dev, v1beta). */
import type { ModelListing } from '../provider.ts';
import { readModelNames } from '../read-model-names.ts';

/** The most that a page may have; 50 without it. */
const MODELS_MAX = 1_000;
/** A model's name is that of a resource; calls give it without the collection. */
const COLLECTION = /^models\//;

export const listModels: ModelListing = {
  buildRequest: (secret) => ({
    method: 'GET',
    path: `/models?pageSize=${MODELS_MAX}`,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'x-goog-api-key': secret,
      'user-agent': 'keyfold',
    },
  }),
  read: (body) =>
    readModelNames(body, { list: 'models', name: 'name' })?.map((name) => name.replace(COLLECTION, '')),
};
