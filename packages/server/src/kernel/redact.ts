/** The one redactor: takes out of any text what looks like a secret, as the last step before a log or a client sees it. */

const SECRETS =
  /\bkf_(?:live|test|admin|sig)_[0-9A-Za-z]+|\b(?:sk|pk|rk)-[0-9A-Za-z_-]{8,}|\bAIza[0-9A-Za-z_-]{16,}|\b(?:Bearer|Basic)\s+[0-9A-Za-z._~+/=-]+|(?<=:\/\/)[^\s/@:]+:[^\s/@]+(?=@)/gi;

export const REDACTED = '[redacted]';

export function redact(text: string): string {
  return text.replace(SECRETS, REDACTED);
}

/** Less exact and far cheaper: a text without any of these holds no secret, however it is quoted. */
const MAYBE = /kf_|[spr]k-|aiza|bearer|basic|:\/\//i;

export function mayHoldSecret(text: string): boolean {
  return MAYBE.test(text);
}

/** As `redact`, with something that stands for each secret. */
export function replaceSecrets(text: string, standIn: (secret: string) => string): string {
  return text.replace(SECRETS, standIn);
}
