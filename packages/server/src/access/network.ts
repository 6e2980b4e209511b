/** Reads networks (CIDR, RFC 4632 and RFC 4291) and addresses; an IPv4 address mapped into IPv6 is its IPv4 self. */
import { isIP } from 'node:net';

export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

const PREFIX = /^(?:0|[1-9][0-9]{0,2})$/;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** `10.0.0.0/8`, `fd00::/8`, or a single address. `undefined` for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const prefixMax = version === 4 ? 32 : 128;
  if (prefixText !== undefined && !PREFIX.test(prefixText)) return undefined;
  const prefix = prefixText === undefined ? prefixMax : Number(prefixText);
  return prefix > prefixMax ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** The address without its mapping or zone. */
export function plainAddress(text: string): { address: string; family: 'ipv4' | 'ipv6' } | undefined {
  const mapped = MAPPED.exec(text);
  const address = mapped?.[1] ?? text.split('%')[0] ?? '';
  const version = isIP(address);
  return version === 0 ? undefined : { address, family: version === 4 ? 'ipv4' : 'ipv6' };
}
