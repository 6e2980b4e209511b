/**
 * Responsible for syslog over TCP and TLS: messages counted in bytes (RFC 6587, 3.4.1; RFC 5425 has the same form), to
 * addresses that egress policy allows. Syslog has no answer: messages count as taken once the receiver, told that no more
 * come, has closed the connection in order, which an honest one does after it has read them all. One that closes before it is
 * told so has read nothing for certain.
 */
import { type Socket, connect, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type ResolveAll, checkedLookup, resolveBySystem } from './dialer.ts';
import { type AllowedNetworks, mayDial } from './egress-policy.ts';
import { DeniedAddressError, classifyFault } from './upstream-fault.ts';

export interface SyslogTarget {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** What may be reached although it is not public. */
  readonly networks: AllowedNetworks;
  /** PEM; the authorities of the system where it is absent. */
  readonly ca?: string;
  readonly resolveAll?: ResolveAll;
}

/** From the connection to its orderly end. */
const SEND_TIMEOUT_MS = 10_000;
/** Between the last byte and the word that no more come: in it, who closes whatever comes shows itself. */
const BEFORE_END_MS = 200;

/** What went wrong, `undefined` when the receiver has read every message. Never rejects. */
export async function sendSyslog(
  target: SyslogTarget,
  messages: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (signal.aborted) return 'aborted';
  const frames = Buffer.concat(messages.map((message) => frame(message)));
  try {
    await exchange(open(target), { target, frames, signal });
    return undefined;
  } catch (error) {
    return error instanceof Error ? describe(error) : String(error);
  }
}

/** The number of bytes, a space, and the bytes. */
function frame(message: string): Buffer {
  const bytes = Buffer.from(message, 'utf8');
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes]);
}

function open({ host, port, isTls, networks, ca, resolveAll }: SyslogTarget): Socket {
  const policy = { networks, isPrivate: false };
  if (isIP(host) !== 0 && !mayDial(policy, host)) throw new DeniedAddressError(host, host);
  const lookup = checkedLookup(policy, resolveAll ?? resolveBySystem);
  const options = { host, port, lookup, allowHalfOpen: true };
  if (!isTls) return connect(options);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({
    ...options,
    ...servername,
    ...(ca === undefined ? {} : { ca }),
    minVersion: 'TLSv1.2',
  });
}

function exchange(
  socket: Socket,
  of: { readonly target: SyslogTarget; readonly frames: Buffer; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error: Error | undefined) => {
      clearTimeout(timer);
      clearTimeout(ending);
      of.signal.removeEventListener('abort', abort);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    let ending: NodeJS.Timeout | undefined;
    const abort = () => end(new Error('aborted'));
    const timer = setTimeout(() => end(new Error('timeout')), SEND_TIMEOUT_MS);
    of.signal.addEventListener('abort', abort);
    socket.on('error', end);
    socket.on('close', () => end(new Error('reset')));
    socket.on(of.target.isTls ? 'secureConnect' : 'connect', () => {
      socket.write(of.frames, () => {
        ending = setTimeout(() => socket.end(), BEFORE_END_MS);
      });
    });
    // Whatever it says is of no matter; only that it has ended.
    socket.resume();
    socket.on('end', () => end(socket.writableFinished ? undefined : new Error('reset')));
  });
}

function describe(error: Error): string {
  if (error.message === 'timeout' || error.message === 'aborted' || error.message === 'reset')
    return error.message;
  return classifyFault(error, false).kind;
}
