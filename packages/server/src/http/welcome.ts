/** What a start prints: where Keyfold listens, and after the first start the admin key and a call that works as pasted. */

export interface Welcome {
  /** Absent after `keyfold init`, which does not listen. */
  readonly url: string | undefined;
  readonly controlUrl: string | undefined;
  /** Absent unless this was the first start; its key is absent when it was written to a file. */
  readonly first: { readonly adminKey: string | undefined } | undefined;
  readonly adminKeyFile: string | undefined;
}

export function renderWelcome({ url, controlUrl, first, adminKeyFile }: Welcome): string {
  const lines: string[] = [];
  if (url !== undefined) lines.push(`Keyfold listens on ${url}`);
  if (first === undefined) return `${lines.join('\n')}\n`;
  lines.push('');
  if (first.adminKey === undefined) lines.push(`The admin key is in ${adminKeyFile}.`);
  else lines.push(`Admin key (shown once, keep it safe): ${first.adminKey}`);
  if (url !== undefined && controlUrl !== undefined) {
    const admin = first.adminKey ?? `$(cat ${adminKeyFile})`;
    lines.push('', 'Create a key and make a first call:', '', renderFirstCall({ url, controlUrl, admin }));
  }
  return `${lines.join('\n')}\n`;
}

function renderFirstCall(at: {
  readonly url: string;
  readonly controlUrl: string;
  readonly admin: string;
}): string {
  return `curl -s ${at.url}/v1/chat/completions -H 'content-type: application/json' \\
  -H "authorization: Bearer $(curl -s ${at.controlUrl}/v1/keys -H "authorization: Bearer ${at.admin}" \\
    -H 'content-type: application/json' -d '{"permissions":["chat"],"name":"first"}' | sed 's/.*"api_key":"\\([^"]*\\)".*/\\1/')" \\
  -d '{"model":"sandbox/echo","messages":[{"role":"user","content":"Hello, Keyfold"}]}'`;
}
