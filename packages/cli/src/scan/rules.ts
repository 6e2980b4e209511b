/** The secrets that `keyfold scan` knows: Keyfold's own, and the providers' in the formats that they are known to have. */
import { type SecretKind, parseSecret } from '@keyfold/protocol';
import { looksRandom } from './looks-random.ts';

export interface Rule {
  /** Stable: it is part of fingerprints. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** What every such secret begins with, literally. No other rule's prefix begins with it, or it is the same. */
  readonly prefix: string;
  /** Sticky; from the prefix to the end, with what may not follow. `body` is the part that is hidden. */
  readonly pattern: RegExp;
  /** Tells a secret from a look-alike. */
  readonly check: (secret: string, body: string) => boolean;
  /** The check is proof enough, so that the secret may follow any character. */
  readonly isProven?: true;
}

/** No secret is longer. */
export const SECRET_CHARACTERS_MAX = 320;

const DESCRIPTION_END = 'Whoever has it acts and spends on its account. Revoke it where it was issued.';

export const RULES: readonly Rule[] = [
  keyfold('live', 'Keyfold key', 'A key for model calls.'),
  keyfold('test', 'Keyfold test key', 'A key for the sandbox: it never costs money.'),
  keyfold('admin', 'Keyfold admin key', 'A key for the management API.'),
  keyfold('sig', 'Keyfold signing secret', 'With the id of its key it signs requests.'),
  {
    id: 'openai-api-key',
    name: 'OpenAI API key',
    description: `A key of a user, a project or a service account at OpenAI. ${DESCRIPTION_END}`,
    prefix: 'sk-',
    // T3BlbkFJ is "OpenAI" in base 64, in the middle of every key.
    pattern: openAi('(?:(?:proj|svcacct|service|None)-)?'),
    check: (_secret, body) => looksRandom(body),
  },
  {
    id: 'openai-admin-key',
    name: 'OpenAI admin key',
    description: `A key that manages an organization at OpenAI. ${DESCRIPTION_END}`,
    prefix: 'sk-',
    pattern: openAi('admin-'),
    check: (_secret, body) => looksRandom(body),
  },
  vendor({
    id: 'anthropic-api-key',
    name: 'Anthropic API key',
    prefix: 'sk-',
    pattern: /sk-ant-api03-(?<body>[\w-]{93}AA)(?![\w-])/y,
  }),
  vendor({
    id: 'anthropic-admin-key',
    name: 'Anthropic admin key',
    prefix: 'sk-',
    pattern: /sk-ant-admin01-(?<body>[\w-]{93}AA)(?![\w-])/y,
  }),
  vendor({
    id: 'anthropic-oauth-token',
    name: 'Anthropic OAuth token',
    prefix: 'sk-',
    pattern: /sk-ant-oat01-(?<body>[\w-]{95})(?![\w-])/y,
  }),
  vendor({
    id: 'google-api-key',
    name: 'Google API key',
    prefix: 'AIza',
    pattern: /AIza(?<body>[\w-]{35})(?![\w-])/y,
  }),
  vendor({
    id: 'google-auth-key',
    name: 'Google Gemini auth key',
    prefix: 'AQ.Ab8RN6',
    pattern: /AQ\.Ab8RN6(?<body>[\w-]{44})(?![\w-])/y,
  }),
  {
    id: 'deepseek-api-key',
    name: 'DeepSeek API key',
    description: `A key of DeepSeek, or of another vendor with keys of this form. ${DESCRIPTION_END}`,
    prefix: 'sk-',
    pattern: /sk-(?<body>[0-9a-f]{32})(?![\w-])/y,
    check: (_secret, body) => looksRandom(body),
  },
  vendor({
    id: 'xai-api-key',
    name: 'xAI API key',
    prefix: 'xai-',
    pattern: /xai-(?<body>[0-9A-Za-z]{80})(?![\w-])/y,
  }),
  vendor({
    id: 'groq-api-key',
    name: 'Groq API key',
    prefix: 'gsk_',
    pattern: /gsk_(?<body>[0-9A-Za-z]{52})(?![\w-])/y,
  }),
  {
    id: 'huggingface-token',
    name: 'Hugging Face token',
    description: `An access token of Hugging Face. ${DESCRIPTION_END}`,
    prefix: 'hf_',
    pattern: /hf_(?<body>[A-Za-z]{34})(?![\w-])/y,
    check: (_secret, body) => looksRandom(body) && hasManyOfBothCases(body),
  },
  vendor({
    id: 'openrouter-api-key',
    name: 'OpenRouter API key',
    prefix: 'sk-',
    pattern: /sk-or-v1-(?<body>[0-9a-f]{64})(?![\w-])/y,
  }),
  vendor({
    id: 'perplexity-api-key',
    name: 'Perplexity API key',
    prefix: 'pplx-',
    pattern: /pplx-(?<body>[0-9A-Za-z]{48})(?![\w-])/y,
  }),
  vendor({
    id: 'replicate-api-token',
    name: 'Replicate API token',
    prefix: 'r8_',
    pattern: /r8_(?<body>[0-9A-Za-z]{37})(?![\w-])/y,
  }),
  {
    id: 'aws-access-key-id',
    name: 'AWS access key id',
    description:
      'The id of a long-lived AWS key, which may open Bedrock. Its secret part is often near. Deactivate it in IAM.',
    prefix: 'AKIA',
    pattern: /AKIA(?<body>[A-Z2-7]{16})(?![\w-])/y,
    check: (_secret, body) => looksRandom(body),
  },
  vendor({
    id: 'aws-bedrock-api-key',
    name: 'Amazon Bedrock API key',
    // "BedrockAPIKey-" in base 64.
    prefix: 'ABSKQmVkcm9ja0FQSUtleS',
    pattern: /ABSKQmVkcm9ja0FQSUtleS(?<body>[0-9A-Za-z+/]{91,251}={0,2})(?![\w+/=-])/y,
  }),
];

function keyfold(kind: SecretKind, name: string, what: string): Rule {
  return {
    id: kind === 'sig' ? 'keyfold-signing-secret' : `keyfold-${kind}-key`,
    name,
    description: `${what} Revoke or rotate it: keyfold keys revoke, keyfold keys rotate.`,
    prefix: `kf_${kind}_`,
    pattern: new RegExp(`kf_${kind}_(?<body>[0-9A-Za-z]{49})(?![0-9A-Za-z])`, 'y'),
    check: (secret) => parseSecret(secret) === kind,
    isProven: true,
  };
}

function vendor(rule: Pick<Rule, 'id' | 'name' | 'prefix' | 'pattern'>): Rule {
  const article = /^[AOx]/.test(rule.name) ? 'An' : 'A';
  return {
    ...rule,
    description: `${article} ${rule.name}. ${DESCRIPTION_END}`,
    check: (_secret, body) => looksRandom(body),
  };
}

function openAi(kind: string): RegExp {
  const half = kind === 'admin-' ? '(?:[\\w-]{74}|[\\w-]{58})' : '(?:[\\w-]{74}|[\\w-]{58}|[0-9A-Za-z]{20})';
  return new RegExp(`sk-${kind}(?<body>${half}T3BlbkFJ${half})(?![\\w-])`, 'y');
}

/** Names of programs are mostly in lower case; one text of 34 random letters in 160,000 has fewer than five of either. */
function hasManyOfBothCases(letters: string): boolean {
  const capitals = letters.replaceAll(/[^A-Z]/g, '').length;
  return Math.min(capitals, letters.length - capitals) >= 5;
}
