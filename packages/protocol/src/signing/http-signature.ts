/** HTTP Message Signatures (RFC 9421) on requests: the two headers, and the signature base that is signed. */
import { type Component, ONE_LINE, type SignedMessage, readComponent } from './components.ts';
import {
  type InnerList,
  type Item,
  parseByteSequences,
  parseInnerLists,
  renderBareItem,
  renderParameters,
} from './structured-fields.ts';

/** One member of `Signature-Input`. Parameters that RFC 9421 does not define are left to `raw`, which is signed. */
export interface SignatureInput {
  readonly label: string;
  readonly components: readonly Component[];
  /** The inner list with its parameters, byte for byte as received. */
  readonly raw: string;
  /** Unix seconds. */
  readonly created?: number;
  /** Unix seconds. */
  readonly expires?: number;
  readonly nonce?: string;
  readonly keyid?: string;
  readonly alg?: string;
  readonly tag?: string;
}

export interface SignatureParameters {
  /** Unix seconds. */
  readonly created: number;
  /** Unix seconds. */
  readonly expires?: number;
  readonly nonce: string;
  readonly keyid: string;
  readonly alg?: string;
  readonly tag: string;
}

/** The `Signature-Input` header, a signature for each label; `undefined` when anything in it is malformed. */
export function parseSignatureInput(header: string): readonly SignatureInput[] | undefined {
  const lists = parseInnerLists(header);
  if (lists === undefined) return undefined;
  const inputs: SignatureInput[] = [];
  for (const [label, list] of lists) {
    const input = toSignatureInput(label, list);
    if (input === undefined) return undefined;
    inputs.push(input);
  }
  return inputs;
}

/** The `Signature` header: the signature's bytes by label; `undefined` when anything in it is malformed. */
export function parseSignature(header: string): ReadonlyMap<string, Uint8Array> | undefined {
  return parseByteSequences(header);
}

/** The covered components with the signature's parameters: what follows `label=`, and what ends the signature base. */
export function renderSignatureInput(components: readonly string[], parameters: SignatureParameters): string {
  const { created, expires, nonce, keyid, alg, tag } = parameters;
  const rendered = Object.entries({ created, expires, nonce, keyid, alg, tag }).flatMap(([key, value]) =>
    value === undefined ? [] : [`;${key}=${renderBareItem(value)}`],
  );
  return `(${components.map(renderBareItem).join(' ')})${rendered.join('')}`;
}

/** One member of the `Signature` header, or of any dictionary of bytes. Example: `keyfold=:AQID:`. */
export function renderSignature(label: string, signature: Uint8Array): string {
  return `${label}=${renderBareItem(signature)}`;
}

/**
 * The text that is signed (section 2.5). `undefined` when a component is unknown, absent from the message or named
 * twice, or when its value is not one line of ASCII.
 */
export function signatureBase(
  input: Pick<SignatureInput, 'components' | 'raw'>,
  message: SignedMessage,
): string | undefined {
  const lines = new Map<string, string>();
  for (const component of input.components) {
    const value = readComponent(component, message);
    if (value === undefined || !ONE_LINE.test(value)) return undefined;
    const identifier = renderBareItem(component.name) + renderParameters(component.parameters);
    if (lines.has(identifier)) return undefined;
    lines.set(identifier, value);
  }
  if (!ONE_LINE.test(input.raw)) return undefined;
  lines.set('"@signature-params"', input.raw);
  return Array.from(lines, ([identifier, value]) => `${identifier}: ${value}`).join('\n');
}

function toSignatureInput(label: string, list: InnerList): SignatureInput | undefined {
  const components = list.items
    .filter(isComponent)
    .map(({ value: name, parameters }) => ({ name, parameters }));
  if (components.length < list.items.length) return undefined;
  const parameters: Record<string, string | number> = {};
  for (const [key, type] of PARAMETER_TYPES) {
    const value = list.parameters.get(key);
    if (value === undefined) continue;
    if (typeof value !== type) return undefined;
    parameters[key] = value as string | number;
  }
  return { label, components, raw: list.raw, ...parameters };
}

const PARAMETER_TYPES = [
  ['created', 'number'],
  ['expires', 'number'],
  ['nonce', 'string'],
  ['keyid', 'string'],
  ['alg', 'string'],
  ['tag', 'string'],
] as const;

function isComponent(item: Item): item is Item & { readonly value: string } {
  return typeof item.value === 'string';
}
