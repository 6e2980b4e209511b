/** Reads `retry-after` (RFC 9110, section 10.2.3): seconds, or a date by the server's own clock. */

const SECONDS = /^\d{1,10}(?:\.\d+)?$/;

/** Milliseconds from now; `undefined` when the header is missing or says nothing sensible. */
export function readRetryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const text = headers.get('retry-after')?.trim();
  if (text === undefined) return undefined;
  if (SECONDS.test(text)) return Math.ceil(Number(text) * 1_000);
  const untilMs = Date.parse(text);
  if (Number.isNaN(untilMs)) return undefined;
  // The answer's own date spares us the difference between the clocks.
  const sentMs = Date.parse(headers.get('date') ?? '');
  return Math.max(0, untilMs - (Number.isNaN(sentMs) ? nowMs : sentMs));
}
