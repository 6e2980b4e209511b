/** Reads the text of one setting into its value. Each parser throws `InvalidValue`, whose message completes "KEYFOLD_X …". */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { type Nanos, parseUsd } from '@keyfold/protocol';
import type { Endpoint } from './config.ts';

/** The message never repeats the value: it may be a secret in the wrong place. */
export class InvalidValue extends Error {}

/** Text to value. `directory` is what relative paths start from. */
export type ParseValue<T> = (text: string, directory: string) => T;

const ENDPOINT = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/;
const HOST_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;
const PORT_MAX = 65_535;
const INTEGER = /^[0-9]{1,15}$/;
const PREFIX = /^(?:0|[1-9][0-9]{0,2})$/;

/** `host:port`, with IPv6 in brackets. */
export function parseEndpoint(text: string): Endpoint {
  const [, bracketed, plain, portText] = ENDPOINT.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(portText);
  const isHost = bracketed === undefined ? isIPv4(host) || isHostName(host) : isIPv6(host);
  if (!isHost || !(port <= PORT_MAX)) {
    throw new InvalidValue('must be host:port, such as 127.0.0.1:8080 or [::1]:8080');
  }
  return { host, port };
}

/** A number of dots and digits that is no IPv4 address is a mistyped address, not a name. */
function isHostName(host: string): boolean {
  return HOST_NAME.test(host) && /[a-z]/i.test(host);
}

/** The endpoint as it is written: IPv6 in brackets. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

export function parsePath(text: string, directory: string): string {
  if (text === '' || text.includes('\0')) throw new InvalidValue('must be a path');
  return resolve(directory, text);
}

/** Accepts what the driver accepts; a `#` would cut the password off without a word. */
export function parseDatabaseUrl(text: string): string {
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw new InvalidValue('must be postgres://user:password@host:port/database; leave it out for SQLite');
  }
  if (text.includes('#')) throw new InvalidValue('must not contain #: write %23 in a password');
  return text;
}

/** A decimal amount of dollars, above zero. */
export function parseDollars(text: string): Nanos {
  const amount = parseUsd(text);
  if (amount === undefined || amount <= 0n) {
    throw new InvalidValue('must be a decimal amount of dollars above zero, such as 5.00');
  }
  return amount;
}

/** Networks separated by commas. Empty text is an empty list. */
export function parseNetworks(text: string): readonly string[] {
  const networks = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  for (const network of networks) checkNetwork(network);
  return Object.freeze(networks);
}

function checkNetwork(text: string): void {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  try {
    if (rest.length > 0 || (prefix !== undefined && !PREFIX.test(prefix))) throw new RangeError();
    new BlockList().addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family);
  } catch (error) {
    throw new InvalidValue('must be networks separated by commas, such as 10.0.0.0/8,fd00::/8', {
      cause: error,
    });
  }
}

/** Where syslog messages go. */
export interface SyslogAddress extends Endpoint {
  readonly isTls: boolean;
}

/** `tcp://host:port` or `tls://host:port`. */
export function parseSyslogAddress(text: string): SyslogAddress {
  const [, scheme, rest = ''] = /^(tcp|tls):\/\/(.+)$/.exec(text) ?? [];
  try {
    const endpoint = parseEndpoint(rest);
    if (scheme === undefined || endpoint.port === 0) throw new InvalidValue();
    return { ...endpoint, isTls: scheme === 'tls' };
  } catch (error) {
    throw new InvalidValue('must be tcp://host:port or tls://host:port', { cause: error });
  }
}

/** What may be dialled is judged when it is known which networks are allowed. */
export function parseWebUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) throw new InvalidValue('must be https://host/path');
  return text;
}

export function parseFlag(text: string): boolean {
  if (text !== '0' && text !== '1') throw new InvalidValue('must be 0 or 1');
  return text === '1';
}

/** One word of a closed list. */
export function parseChoice<Choice extends string>(choices: readonly Choice[]): ParseValue<Choice> {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw new InvalidValue(`must be one of ${choices.join(', ')}`);
    return choice;
  };
}

/** A whole number in the unit that the setting's name ends with. */
export function parseInteger(min: number, max: number): ParseValue<number> {
  return (text) => {
    const value = INTEGER.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidValue(`must be a whole number, ${min} to ${max}`);
    return value;
  };
}
