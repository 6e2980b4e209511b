/** Renders credentials for people: the row of a list, the page of one, and what a test of one has found. */
import { CommandFailure, EXIT } from '../exit-code.ts';
import { type JsonObject, memberAt, showValue } from '../remote/json.ts';
import type { ListView } from '../remote/list.ts';
import type { Style } from '../terminal/style.ts';
import { escapeUnsafe, renderFields } from '../terminal/table.ts';
import type { Noun } from './find-id.ts';

export const CREDENTIAL: Noun = { name: 'credential', path: '/v1/credentials', idPrefix: 'crd_' };

export const CREDENTIAL_LIST: ListView = {
  path: CREDENTIAL.path,
  columns: [
    { title: 'id', path: 'id' },
    { title: 'provider', path: 'provider' },
    { title: 'name', path: 'name' },
    { title: 'state', path: 'health.state', show: stateOf },
    { title: 'weight', path: 'weight', align: 'right' },
    { title: 'base url', path: 'base_url' },
    { title: 'models', path: 'models' },
    { title: 'created', path: 'created_at' },
  ],
  empty: 'There are no credentials. Add one: keyfold credentials create --provider openai --name NAME',
};

/** `healthy`, or why it is passed over and for how long. */
function stateOf(credential: JsonObject): string {
  const [state, reason, seconds] = ['state', 'reason', 'rests_for_seconds'].map((name) =>
    memberAt(credential, `health.${name}`),
  );
  return state === 'resting'
    ? `resting: ${showValue(reason)}, ${showValue(seconds)} s more`
    : showValue(state);
}

export function renderCredential(credential: JsonObject, style: Style): string {
  const member = (name: string, path: string): [string, string] => [
    name,
    showValue(memberAt(credential, path)),
  ];
  return renderFields(
    [
      member('id', 'id'),
      member('provider', 'provider'),
      member('name', 'name'),
      ['state', stateOf(credential)],
      member('base url', 'base_url'),
      member('allow networks', 'allow_networks'),
      member('models', 'models'),
      member('weight', 'weight'),
      member('requests per minute', 'limits.requests_per_minute'),
      member('tokens per minute', 'limits.tokens_per_minute'),
      member('concurrent requests', 'limits.concurrent_requests'),
      member('cut streams charged', 'stream_policy'),
      member('version', 'version'),
      member('secret before it tried until', 'previous_expires_at'),
      member('created', 'created_at'),
      member('updated', 'updated_at'),
    ],
    style,
  );
}

export function renderTest(test: JsonObject, style: Style): string {
  const models = showValue(test['models']);
  return renderFields(
    [
      ['credential', showValue(test['credential_id'])],
      ['works', showValue(test['ok'])],
      ['reason', showValue(test['reason'])],
      ["provider's status", showValue(test['provider_status'])],
      ['answered in', `${showValue(test['latency_ms'])} ms`],
      ['models', test['has_more_models'] === true ? `${models}, and more` : models],
    ],
    style,
  );
}

/** What is wrong with a credential that failed its test, and what to do. */
export function describeTestFailure(test: JsonObject): CommandFailure {
  const id = showValue(test['credential_id']);
  const reason = showValue(test['reason']);
  const { what, advice } = EXPLANATIONS[reason] ?? {
    what: `the provider could not be asked (${reason})`,
    advice: `Try again: keyfold credentials test ${id}.`,
  };
  return new CommandFailure(EXIT.failure, escapeUnsafe(`The credential does not work: ${what}.`), {
    code: reason,
    advice: escapeUnsafe(advice.replaceAll('ID', id)),
  });
}

const MEND_URL = 'Mend its address: keyfold credentials update ID --base-url URL.';
const LATER = 'Try again later: keyfold credentials test ID. The status page of the provider may say more.';
const EXPLANATIONS: Readonly<Record<string, { readonly what: string; readonly advice: string }>> = {
  credential: {
    what: 'the provider refuses its secret, or the right of that to list models',
    advice: 'Give it another secret: keyfold credentials rotate ID.',
  },
  quota: { what: 'its account has no money left', advice: 'Pay the provider, or raise the limit there.' },
  rate_limit: { what: 'its account is over its rate limit', advice: LATER },
  overload: { what: 'the provider is overloaded', advice: LATER },
  server: { what: 'the provider fails', advice: LATER },
  timeout: { what: 'the provider did not answer in time', advice: LATER },
  not_found: { what: 'there is no list of models at its base URL', advice: MEND_URL },
  request: { what: 'the provider refuses the question itself', advice: MEND_URL },
  unreadable: { what: 'what answers at its base URL is no list of models', advice: MEND_URL },
  redirected: { what: 'its base URL redirects elsewhere, which is not followed', advice: MEND_URL },
  protocol: { what: 'what listens at its base URL does not speak HTTP', advice: MEND_URL },
  refused: {
    what: 'its provider cannot be reached, or its certificate is not trusted',
    advice: `${MEND_URL} A name must also resolve on the machine of the server.`,
  },
  reset: { what: 'the connection to its provider broke', advice: LATER },
  denied_address: {
    what: 'its base URL leads to an address that is not public',
    advice: 'If that is meant: keyfold credentials update ID --allow-networks CIDR.',
  },
};
