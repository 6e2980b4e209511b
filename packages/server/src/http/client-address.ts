/** The client's address: the socket's, or what trusted proxies say of it in `x-forwarded-for`, read from the right. */
import type { IncomingMessage } from 'node:http';
import { BlockList } from 'node:net';
import { parseNetwork, plainAddress } from '../access/network.ts';

export type ReadAddress = (incoming: IncomingMessage) => string;

export function createReadAddress(trustedProxies: readonly string[]): ReadAddress {
  if (trustedProxies.length === 0) return socketAddress;
  const trusted = new BlockList();
  for (const cidr of trustedProxies) {
    const network = parseNetwork(cidr);
    if (network !== undefined) trusted.addSubnet(network.address, network.prefix, network.family);
  }
  const isTrusted = (address: string) => {
    const plain = plainAddress(address);
    return plain !== undefined && trusted.check(plain.address, plain.family);
  };
  return (incoming) => {
    let address = socketAddress(incoming);
    const header = incoming.headers['x-forwarded-for'];
    const hops = (Array.isArray(header) ? header.join(',') : (header ?? ''))
      .split(',')
      .map((hop) => hop.trim());
    // Each proxy appends who called it: walk back while the one that speaks is trusted.
    while (isTrusted(address)) {
      const hop = hops.pop();
      if (hop === undefined || plainAddress(hop) === undefined) break;
      address = hop;
    }
    return address;
  };
}

function socketAddress(incoming: IncomingMessage): string {
  return incoming.socket.remoteAddress ?? '';
}
