/** Asks Keyfold's management API, which a benchmark needs before it measures. */

/** A limit that nothing reaches. */
export const PLENTY = 1_000_000_000;

export type ControlApi = (method: string, path: string, body?: object) => Promise<unknown>;

export function createControlApi(origin: string, adminKey: string): ControlApi {
  return async (method, path, body) => {
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Keyfold answered ${method} ${path} with ${response.status}: ${text}`);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  };
}

export function readText(value: unknown, field: string): string {
  const text = (value as Record<string, unknown> | null | undefined)?.[field];
  if (typeof text !== 'string') throw new Error(`Keyfold's answer has no "${field}"`);
  return text;
}
