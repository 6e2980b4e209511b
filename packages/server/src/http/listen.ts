/** Binds a listener to its address, and says what to do when it cannot. */
import type { Server } from 'node:http';
import type { Endpoint } from '../config/index.ts';

/** Resolves with the bound port. */
export function listen(server: Server, address: Endpoint): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${address.host}:${address.port}`;
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`${where} is in use: set KEYFOLD_LISTEN to a free address`)
          : error,
      );
    });
    server.listen(address.port, address.host, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port);
    });
  });
}

/** A host as URLs write it: IPv6 in brackets. */
export function urlHost({ host }: Endpoint): string {
  return host.includes(':') ? `[${host}]` : host;
}
