/** The bounds of what a client may send, and how long it may take (security.md 8). */
export const HTTP_LIMITS = {
  headerBytesMax: 16_384,
  headersMax: 100,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 65_000,
  checkIntervalMs: 2_000,
} as const;
