/**
 * Responsible for where Keyfold may connect to: which base URLs an administrator may set, and which addresses may be
 * dialled. A public address over HTTPS is allowed; anything else only inside networks that the credential names.
 */
import { Denial } from '../kernel/denial.ts';
import { BlockList, isIP } from 'node:net';

const BASE_URL_CHARACTERS_MAX = 2048;
const PORTS_ALLOWED: readonly string[] = ['', '443', '8443'];
const NETWORKS_MAX = 64;

/** A base URL that passed `checkBaseUrl`. */
export interface AllowedOrigin {
  /** Scheme, host and port, as WHATWG URL writes them. */
  readonly origin: string;
  /** Without a slash at its end; empty for the root. */
  readonly basePath: string;
  readonly networks: AllowedNetworks;
  /** Only `networks` may be dialled, since the scheme or the port is not one for public addresses. */
  readonly isPrivate: boolean;
  /** Equal for two values exactly when they mean the same. */
  readonly key: string;
}

/** Networks that a credential may reach although they are not public. */
export class AllowedNetworks {
  readonly cidrs: readonly string[];
  // One list for each family: in a shared one an IPv6 address that carries an IPv4 address would match IPv4 rules.
  readonly #byFamily = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** Use `parseNetworks`: this throws on text that is no CIDR. */
  constructor(cidrs: readonly string[]) {
    this.cidrs = cidrs;
    for (const cidr of cidrs) {
      const [address = '', prefix = '', ...rest] = cidr.split('/');
      const family = familyOf(address);
      if (family === undefined || !/^\d{1,3}$/.test(prefix) || rest.length > 0)
        throw new RangeError(`${cidr} is no CIDR`);
      this.#byFamily[family].addSubnet(address, Number(prefix), family);
    }
  }

  has(address: string): boolean {
    const family = familyOf(address);
    return family !== undefined && this.#byFamily[family].check(address, family);
  }
}

export const NO_NETWORKS = new AllowedNetworks([]);

/** The networks of a setting, whose form has been checked. */
export function readNetworks(networks: readonly string[]): AllowedNetworks {
  return new AllowedNetworks(networks.map((network) => toCidr(network)));
}

/** Reads the `allow_networks` of a credential, such as `127.0.0.0/8` or `fd00::/8`. */
export function parseNetworks(cidrs: readonly string[]): AllowedNetworks | Denial {
  if (cidrs.length > NETWORKS_MAX) {
    return new Denial('invalid_request', {
      param: 'allow_networks',
      message: `At most ${NETWORKS_MAX} networks.`,
    });
  }
  try {
    return new AllowedNetworks(cidrs);
  } catch {
    return new Denial('invalid_request', {
      param: 'allow_networks',
      message: 'allow_networks takes networks such as 127.0.0.0/8.',
    });
  }
}

/** What a refused URL is called by whoever gave it, and what would allow more. */
export interface UrlWords {
  readonly param: string;
  readonly networks: string;
}

const OF_CREDENTIAL: UrlWords = { param: 'base_url', networks: 'allow_networks' };
export const OF_WEBHOOK: UrlWords = { param: 'url', networks: 'the setting webhook_networks' };

/**
 * Checks the base URL of a credential, or the URL of a webhook. What a name resolves to is not looked at here but at every connect. Hosts in
 * decimal, octal, hexadecimal or Unicode form are judged as what they mean.
 */
export function checkBaseUrl(
  text: string,
  networks: AllowedNetworks = NO_NETWORKS,
  words: UrlWords = OF_CREDENTIAL,
): AllowedOrigin | Denial {
  const refuseUrl = (why: string) => refuse(words.param, why);
  if (text.length > BASE_URL_CHARACTERS_MAX) return refuseUrl('It is too long.');
  // WHATWG URL drops or rewrites these in silence; what an administrator meant by them is anyone's guess.
  if (!URL_TEXT.test(text)) return refuseUrl('It has characters that a URL may not have.');
  if (!URL.canParse(text)) return refuseUrl('It is no URL.');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refuseUrl('It must begin with https://.');
  if (url.username !== '' || url.password !== '' || text.includes('@'))
    return refuseUrl('It may not hold a user name.');
  if (text.includes('#') || text.includes('?')) return refuseUrl('It may not have a query or a fragment.');
  if (!BASE_PATH.test(url.pathname) || DOT_SEGMENT.test(text)) return refuseUrl('Its path is not plain.');

  const isPrivate = url.protocol === 'http:' || !PORTS_ALLOWED.includes(url.port);
  if (isPrivate && networks.cidrs.length === 0) {
    return refuseUrl(`Plain HTTP and ports other than 443 and 8443 need ${words.networks}.`);
  }
  const address = url.hostname.replace(/^\[|\]$/g, '');
  const basePath = url.pathname.replace(/\/$/, '');
  const key = JSON.stringify([url.origin, basePath, [...networks.cidrs].sort()]);
  const allowed = { origin: url.origin, basePath, networks, isPrivate, key };
  if (isIP(address) !== 0 && !mayDial(allowed, address)) return refuseUrl('Its address is not public.');
  return allowed;
}

/** True when `address` may be dialled for this origin. */
export function mayDial(target: Pick<AllowedOrigin, 'networks' | 'isPrivate'>, address: string): boolean {
  return target.isPrivate ? target.networks.has(address) : !isDeniedAddress(address, target.networks);
}

/** True for an address that is not public, unless `networks` has it, and for text that is no address. */
export function isDeniedAddress(address: string, networks: AllowedNetworks = NO_NETWORKS): boolean {
  const family = familyOf(address);
  if (family === undefined) return true;
  return !networks.has(address) && NOT_PUBLIC.has(address);
}

function refuse(param: string, why: string): Denial {
  return new Denial('invalid_request', { param, message: `${param} is not allowed. ${why}` });
}

/** A single address is the network of itself. */
function toCidr(network: string): string {
  if (network.includes('/')) return network;
  return `${network}/${isIP(network) === 4 ? 32 : 128}`;
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  // An address with a zone names an interface of this host.
  if (address.includes('%')) return undefined;
  const version = isIP(address);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
}

const URL_TEXT = /^[^\s\\%\p{Cc}]+$/u;
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/;
const BASE_PATH = /^(?:\/[\w.~:+=,-]+)*\/?$/;

const NOT_PUBLIC = new AllowedNetworks([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96',
  '::1/128',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
]);
