/** `/docs`: the OpenAPI document as one plain page, rendered here so that it loads nothing from anywhere. */

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: unknown;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
}

interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2330}
h2{margin-top:2.5rem;border-bottom:1px solid #d5dae3}code{background:#f2f4f8;padding:.1rem .3rem;border-radius:3px}
.method{display:inline-block;min-width:4rem;font-weight:600;text-transform:uppercase}li{margin:.6rem 0}p{margin:.2rem 0}`;

export function renderDocsPage(openApi: object): string {
  const { info, paths = {} } = openApi as Document;
  const byTag = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'Other';
      byTag.set(tag, [...(byTag.get(tag) ?? []), renderOperation(method, path, operation)]);
    }
  }
  const sections = [...byTag].map(([tag, items]) => `<h2>${escape(tag)}</h2><ul>${items.join('')}</ul>`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(info.title)} API</title><style>${STYLE}</style>
<h1>${escape(info.title)} API ${escape(info.version)}</h1><p>${escape(info.description ?? '')} Machine-readable:
<a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>${sections.join('')}</html>`;
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const parameters = (operation.parameters ?? []).map(
    ({ name, in: place }) => `<code>${escape(name)}</code> (${escape(place)})`,
  );
  const details = [
    operation.description ?? '',
    parameters.length === 0 ? '' : `Takes ${parameters.join(', ')}.`,
  ];
  const body = operation.requestBody === undefined ? '' : ' Takes a JSON body.';
  return `<li><span class="method">${escape(method)}</span> <code>${escape(path)}</code><p>${escape(operation.summary ?? '')}${body}</p><p>${details
    .map((text) => text.replaceAll(/`([^`]+)`/g, '<code>$1</code>'))
    .join(' ')}</p></li>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
