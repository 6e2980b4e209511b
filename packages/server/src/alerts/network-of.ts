/** Which network an address is counted as, when it is asked whether a key was used from there before. */
import { plainAddress } from '../access/network.ts';

const IPV4_PARTS = 3;
const IPV6_PARTS = 3;
const IPV6_PARTS_ALL = 8;

/** The /24 of an IPv4 address, the /48 of an IPv6 address; `undefined` for text that is no address. */
export function networkOf(address: string): string | undefined {
  const plain = plainAddress(address);
  if (plain === undefined) return undefined;
  if (plain.family === 'ipv4') return `${plain.address.split('.').slice(0, IPV4_PARTS).join('.')}.0/24`;
  const [head = '', tail] = plain.address.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, IPV6_PARTS_ALL - before.length - after.length);
  const parts = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  const prefix = parts.slice(0, IPV6_PARTS).map((part) => Number.parseInt(part, 16).toString(16));
  return `${prefix.join(':')}::/48`;
}
