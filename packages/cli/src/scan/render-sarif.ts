/** Renders the outcome of a scan as SARIF 2.1.0, which code hosts and editors show beside the code. */
import { pathToFileURL } from 'node:url';
import { isAbsolute, sep } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import type { Finding } from './finding.ts';
import { describeLimits } from './render-report.ts';
import { RULES, type Rule } from './rules.ts';
import type { Tally } from './tally.ts';

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json';
/** 0 to 10; from 9 on a code host calls it critical. */
const SEVERITY = '9.0';
const COMMIT_CHARACTERS = 12;

export function toSarif(tally: Tally): unknown {
  return {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'keyfold scan',
            version: manifest.version,
            semanticVersion: manifest.version,
            rules: RULES.map(toDescriptor),
          },
        },
        columnKind: 'utf16CodeUnits',
        invocations: [
          {
            executionSuccessful: tally.unreadableFiles === 0,
            toolExecutionNotifications: [
              ...tally.unreadable.map(({ path, reason }) =>
                notify('error', `${path} is unreadable: ${reason}.`),
              ),
              ...describeLimits(tally).map((note) => notify('note', note)),
            ],
          },
        ],
        results: tally.findings.map(toResult),
      },
    ],
  };
}

function toDescriptor({ id, name, description }: Rule): unknown {
  return {
    id,
    name: toPascalCase(id),
    shortDescription: { text: name },
    fullDescription: { text: description },
    help: { text: `${description} Then take it out of the code, and out of the history if it was pushed.` },
    defaultConfiguration: { level: 'error' },
    properties: { tags: ['security', 'secret'], 'security-severity': SEVERITY },
  };
}

function toResult({ rule, secret, fingerprint, path, line, column, endColumn, commit }: Finding): unknown {
  const since = commit === undefined ? '' : `, since commit ${commit.id.slice(0, COMMIT_CHARACTERS)}`;
  return {
    ruleId: rule.id,
    ruleIndex: RULES.indexOf(rule),
    level: 'error',
    message: { text: `${rule.name} ${secret}${since}.` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: toUri(path) },
          region: { startLine: line, startColumn: column, endColumn },
        },
      },
    ],
    partialFingerprints: { 'keyfoldSecret/v1': fingerprint },
    ...(commit === undefined ? {} : { properties: { commit: commit.id, committedAt: commit.committedAt } }),
  };
}

function notify(level: 'error' | 'note', text: string): unknown {
  return { level, message: { text } };
}

/** `aws-access-key-id` → `AwsAccessKeyId`: the form that SARIF has for names of rules. */
function toPascalCase(id: string): string {
  return id
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** Relative as it is, with what a URI does not hold escaped. */
function toUri(path: string): string {
  if (isAbsolute(path)) return pathToFileURL(path).href;
  return path.split(sep).map(encodeURIComponent).join('/');
}
