/** Where one key is in the API: by its id, which cannot lead to another path. */

export const KEYS_PATH = '/v1/keys';

export function pathOfKey(id: string): string {
  return `${KEYS_PATH}/${encodeURIComponent(id)}`;
}
