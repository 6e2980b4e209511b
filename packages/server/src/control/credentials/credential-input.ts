/** What may be said of a provider's credential, and where its secret may so be sent. */
import { STREAM_POLICIES, type StreamPolicy } from '../../credentials/credential.ts';
import { Denial } from '../../kernel/denial.ts';
import { VENDORS } from '../../routing/vendors.ts';
import { checkBaseUrl, parseNetworks } from '../../upstream/egress-policy.ts';
import { limitsBody } from '../limits.ts';
import { name, z } from '../schemas.ts';

/** Models that one credential may list. */
export const MODELS_MAX = 1_000;
const NETWORKS_MAX = 64;
const URL_CHARACTERS_MAX = 2_048;
const WEIGHT_MAX = 1_000;
const GRACE_SECONDS_DEFAULT = 300;
const GRACE_SECONDS_MAX = 86_400;

/** What goes into a header as it is: visible ASCII. */
const secret = z.string().regex(/^[\x21-\x7e]{1,4096}$/, 'must be 1 to 4096 visible ASCII characters');
/** What a model may be called. */
export const MODEL_NAME = /^[A-Za-z0-9._:/@+-]{1,200}$/;
const model = z.string().regex(MODEL_NAME, 'must be 1 to 200 of the characters A-Z a-z 0-9 . _ : / @ + -');
const baseUrl = z.string().min(1).max(URL_CHARACTERS_MAX);
const networks = z.array(z.string().min(1).max(50)).max(NETWORKS_MAX);
const models = z.array(model).min(1).max(MODELS_MAX);
/** How a stream that was cut off is charged. */
const streamPolicy = z.enum(STREAM_POLICIES);
const weight = z.int().min(1).max(WEIGHT_MAX);

export const createCredentialBody = z.strictObject({
  provider: z.string().min(1).max(100).openapi({ example: 'openai' }),
  name,
  secret,
  base_url: baseUrl.optional(),
  allow_networks: networks.optional(),
  models: models.optional().openapi({
    description: 'All that it offers. A server of your own that is not named any is asked for them.',
  }),
  weight: weight.optional(),
  limits: limitsBody.optional(),
  stream_policy: streamPolicy.optional(),
});

export const updateCredentialBody = z.strictObject({
  name: name.optional(),
  base_url: baseUrl.optional(),
  allow_networks: networks.optional(),
  models: models.nullable().optional(),
  weight: weight.optional(),
  limits: limitsBody.optional(),
  stream_policy: streamPolicy.optional(),
  secret: secret.optional(),
});

export const rotateCredentialBody = z.strictObject({
  secret,
  /** How long the secret before it is still tried where the provider refuses the new one. */
  grace_seconds: z.int().min(0).max(GRACE_SECONDS_MAX).default(GRACE_SECONDS_DEFAULT),
});

export type CreateCredentialBody = z.infer<typeof createCredentialBody>;
export type UpdateCredentialBody = z.infer<typeof updateCredentialBody>;

/** The part of a credential that decides what it serves and where its secret goes. */
export interface CredentialRules {
  readonly provider: string;
  readonly baseUrl: string;
  readonly allowNetworks: readonly string[];
  readonly models: readonly string[] | undefined;
  readonly streamPolicy: StreamPolicy;
}

/** Nothing else knows what a server of one's own has: the credential must say, or the server is asked. */
export function mustListModels({
  provider,
  models: named,
}: Pick<CredentialRules, 'provider' | 'models'>): boolean {
  return VENDORS.get(provider)?.baseUrl === undefined && named === undefined;
}

export type RuledBody = Pick<
  CreateCredentialBody,
  'provider' | 'base_url' | 'allow_networks' | 'models' | 'stream_policy'
>;

/** The rules with what the vendor implies, or what is wrong with them. */
export function readCredentialRules(body: RuledBody): CredentialRules | Denial {
  const vendor = VENDORS.get(body.provider);
  if (vendor === undefined) return refuseProvider();
  const url = body.base_url ?? vendor.baseUrl;
  if (url === undefined) {
    return refuse('base_url', `A credential of provider '${body.provider}' must say its base_url.`);
  }
  const streamPolicy = body.stream_policy ?? vendor.streamPolicies[0];
  if (!vendor.streamPolicies.includes(streamPolicy)) {
    return refuse(
      'stream_policy',
      `A credential of provider '${body.provider}' charges a stream that was cut off by ${vendor.streamPolicies.join(', ')}: only that is sure to cover what the provider bills.`,
    );
  }
  const allowNetworks = body.allow_networks ?? [];
  const allowed = parseNetworks(allowNetworks);
  if (allowed instanceof Denial) return allowed;
  const origin = checkBaseUrl(url, allowed);
  if (origin instanceof Denial) return origin;
  return { provider: body.provider, baseUrl: url, allowNetworks, models: body.models, streamPolicy };
}

export function refuseNoModels(provider: string): Denial {
  return refuse('models', `A credential of provider '${provider}' must name the models it offers.`);
}

function refuseProvider(): Denial {
  return refuse('provider', `provider must be one of ${[...VENDORS.keys()].join(', ')}.`);
}

function refuse(param: string, message: string): Denial {
  return new Denial('invalid_request', { message, param });
}
