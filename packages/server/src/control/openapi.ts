/** The OpenAPI 3.1 document: management endpoints describe themselves, the data plane is described here. */
import { ERRORS } from '@keyfold/protocol';
import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import type { ControlBindings, Endpoint } from './endpoint.ts';
import { z } from './schemas.ts';

type App = OpenAPIHono<{ Bindings: ControlBindings }>;

export const OPENAPI_PATH = '/openapi.json';

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    code: z.enum(Object.keys(ERRORS) as [string, ...string[]]),
    request_id: z.string(),
  })
  .openapi('Problem');

const openAiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string(),
    }),
  })
  .openapi('OpenAIError');

export function describeEndpoint(app: App, endpoint: Endpoint): void {
  const { response } = endpoint;
  const success =
    response.schema === undefined
      ? { description: 'Done.' }
      : {
          description: 'Success.',
          content: { [response.contentType ?? 'application/json']: { schema: response.schema } },
        };
  const request = {
    ...(endpoint.params === undefined ? {} : { params: endpoint.params }),
    ...(endpoint.query === undefined ? {} : { query: endpoint.query }),
    ...(endpoint.body === undefined
      ? {}
      : { body: { content: { 'application/json': { schema: endpoint.body } } } }),
  };
  app.openAPIRegistry.registerPath({
    method: endpoint.method,
    path: endpoint.path.replace('{+', '{'),
    tags: [endpoint.tag],
    summary: endpoint.summary,
    ...(endpoint.permission === undefined
      ? {}
      : { description: `Needs the permission \`${endpoint.permission}\`.` }),
    security: [{ key: [] }],
    request,
    responses: {
      [response.status]: success,
      default: { description: 'A problem.', content: { 'application/problem+json': { schema: problem } } },
    },
  } as unknown as RouteConfig);
}

interface DataPath {
  readonly path: string;
  readonly summary: string;
  readonly permission: string;
  /** Where an answer is no JSON. */
  readonly answer?: string;
  readonly isModelOptional?: boolean;
  /** Sent as a form with a recording. */
  readonly isForm?: boolean;
}

const DATA_PLANE: readonly DataPath[] = [
  {
    path: '/v1/chat/completions',
    summary: "OpenAI's chat completions, streamed or not.",
    permission: 'chat',
  },
  { path: '/v1/completions', summary: "OpenAI's completions, streamed or not.", permission: 'completions' },
  { path: '/v1/responses', summary: "OpenAI's responses, streamed or not.", permission: 'chat' },
  { path: '/v1/embeddings', summary: "OpenAI's embeddings.", permission: 'embeddings' },
  {
    path: '/v1/images/generations',
    summary: "OpenAI's images, streamed or not.",
    permission: 'images',
  },
  {
    path: '/v1/audio/speech',
    summary: "OpenAI's speech: sound, or events with `stream_format` `sse`.",
    permission: 'audio',
    answer: 'audio/*',
  },
  {
    path: '/v1/audio/transcriptions',
    summary: "OpenAI's transcriptions, streamed or not. Subtitles and plain text come as such.",
    permission: 'audio',
    isForm: true,
  },
  {
    path: '/v1/audio/translations',
    summary: "OpenAI's translations into English. Subtitles and plain text come as such.",
    permission: 'audio',
    isForm: true,
  },
  {
    path: '/v1/moderations',
    summary: "OpenAI's moderations.",
    permission: 'moderations',
    isModelOptional: true,
  },
];

const anyForm = z
  .looseObject({ model: z.string(), file: z.string().openapi({ format: 'binary' }) })
  .openapi({ description: 'As OpenAI documents it; unknown fields pass through.' });
const anyObject = z
  .looseObject({})
  .openapi({ description: 'As OpenAI documents it; unknown fields pass through.' });
const anyJson = z
  .looseObject({ model: z.string() })
  .openapi({ description: 'As OpenAI documents it; unknown fields pass through.' });

export function describeDataPlane(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
    description: 'A Keyfold key. Also accepted as `x-api-key` or `x-goog-api-key`.',
  });
  for (const described of DATA_PLANE) {
    const { path, summary, permission, answer = 'application/json' } = described;
    app.openAPIRegistry.registerPath({
      method: 'post',
      path,
      tags: ['Model calls'],
      summary,
      description: `Needs the permission \`${permission}\`.`,
      security: [{ key: [] }],
      request: { body: { content: describeBody(described) } },
      responses: {
        200: {
          description: "The provider's answer, or its events when `stream` is true.",
          content: {
            [answer]: { schema: answer === 'application/json' ? z.looseObject({}) : z.string() },
            'text/event-stream': { schema: z.string() },
          },
        },
        default: { description: 'An error.', content: { 'application/json': { schema: openAiError } } },
      },
    });
  }
}

function describeBody({ isForm, isModelOptional }: DataPath) {
  if (isForm === true) return { 'multipart/form-data': { schema: anyForm } };
  return { 'application/json': { schema: isModelOptional === true ? anyObject : anyJson } };
}

export function renderOpenApi(app: App, version: string): object {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Keyfold', version, description: 'A gateway for AI models and a manager of their keys.' },
  });
}
