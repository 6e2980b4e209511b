/** Every endpoint of the management API, in the order in which paths are matched. */
import type { UpstreamPools } from '../upstream/pools.ts';
import type { Endpoint } from './endpoint.ts';
import { type KeyRooms, keyEndpoints } from './key-endpoints.ts';
import { type SelfRooms, selfEndpoints } from './self-endpoints.ts';

export type EndpointRooms = SelfRooms & KeyRooms & { readonly pools: UpstreamPools };

export function controlEndpoints(rooms: EndpointRooms): readonly Endpoint[] {
  // What a key asks about itself has fixed paths, which must come before `/v1/keys/{id}`.
  return [...selfEndpoints(rooms), ...keyEndpoints(rooms)];
}
