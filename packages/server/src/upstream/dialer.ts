/**
 * Responsible for opening connections to allowed addresses only. A name is resolved once for each connection, all that
 * it resolves to must be allowed, and what is dialled is what was checked: a name that changes in between gains nothing.
 */
import { type LookupAddress, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { type AllowedOrigin, mayDial } from './egress-policy.ts';
import { DeniedAddressError } from './upstream-fault.ts';

/** Finds every address of a host name. */
export type ResolveAll = (
  host: string,
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

export interface DialerOptions {
  readonly connectTimeoutMs: number;
  /** The operating system's resolver where it is absent. */
  readonly resolveAll?: ResolveAll | undefined;
}

/** A connector for undici that dials `target` under its egress policy. */
export function createDialer(target: AllowedOrigin, options: DialerOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    allowH2: false,
    lookup: checkedLookup(target, options.resolveAll ?? resolveBySystem),
  });
  return (connection, callback) => {
    // An address is never looked up, so it is checked here.
    const { hostname } = connection;
    if (isIP(hostname) !== 0 && !mayDial(target, hostname)) {
      callback(new DeniedAddressError(hostname, hostname), null);
      return;
    }
    connect(connection, callback);
  };
}

/** Finds a name's addresses, all of which must be allowed. */
export function checkedLookup(
  target: Pick<AllowedOrigin, 'networks' | 'isPrivate'>,
  resolveAll: ResolveAll,
): LookupFunction {
  return (host, options, done) => {
    resolveAll(host, (error, addresses) => {
      const first = addresses?.[0];
      if (error !== null || first === undefined) {
        done(error ?? new Error(`${host} has no address`), '');
        return;
      }
      const denied = addresses.find(({ address }) => !mayDial(target, address));
      if (denied !== undefined) done(new DeniedAddressError(host, denied.address), '');
      else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}

export function resolveBySystem(
  host: string,
  done: (error: Error | null, addresses: LookupAddress[]) => void,
): void {
  lookup(host, { all: true }, done);
}
