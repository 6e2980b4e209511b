/** Reads the values of options. Each throws commander's `InvalidArgumentError`, which becomes a usage error. */
import { parseUsd } from '@keyfold/protocol';
import { InvalidArgumentError } from 'commander';

const INTEGER = /^[0-9]{1,15}$/;
const DURATION = /^([1-9][0-9]{0,8})([smhd])$/;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i;

/** What clears a rule in `update`. */
export const NONE = 'none' as const;

export function readCount(text: string): number {
  if (!INTEGER.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}

/** Seconds; unlike a count they may be 0. */
export function readSeconds(text: string): number {
  if (!INTEGER.test(text)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(text);
}

/** Dollars as decimal text, passed on as they were written: money never becomes a float here. */
export function readUsd(text: string): string {
  const amount = parseUsd(text);
  if (amount === undefined || amount < 0n) {
    throw new InvalidArgumentError('It must be dollars such as 12.50, with at most nine decimals.');
  }
  return text;
}

/** `a,b` and a repeated option alike. */
export function collectList(text: string, previous: readonly string[] | undefined): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new InvalidArgumentError('It must be names separated by commas.');
  return [...(previous ?? []), ...items];
}

/** `name=value`, repeated. */
export function collectPair(
  text: string,
  previous: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const border = text.indexOf('=');
  if (border < 1) throw new InvalidArgumentError('It must be name=value.');
  return { ...previous, [text.slice(0, border)]: text.slice(border + 1) };
}

/** A time of RFC 3339, or a duration from now: `90d`, `12h`, `30m`, `45s`. Returns RFC 3339 in UTC. */
export function readTime(text: string): string {
  const [, amount, unit = ''] = DURATION.exec(text) ?? [];
  const seconds = UNIT_SECONDS[unit];
  const time = seconds === undefined ? Date.parse(text) : Date.now() + Number(amount) * seconds * 1_000;
  const isTime = seconds !== undefined || RFC_3339.test(text);
  if (!isTime || Number.isNaN(new Date(time).getTime())) {
    throw new InvalidArgumentError(
      'It must be a time such as 2030-01-31T00:00:00Z, or a duration such as 90d or 12h.',
    );
  }
  return new Date(time).toISOString();
}

/** The same reader, with `none` for "no such rule any more"; `toRule` makes it the `null` of the API. */
export function orNone<T>(
  read: (text: string, previous: T | undefined) => T,
): (text: string, previous: T | typeof NONE | undefined) => T | typeof NONE {
  return (text, previous) => (text === NONE ? NONE : read(text, previous === NONE ? undefined : previous));
}

/** Commander keeps no `null` as the value of an option, so that clearing travels as a word. */
export function toRule<T>(value: T | typeof NONE | undefined): T | null | undefined {
  return value === NONE ? null : value;
}

/** The object without its absent members; absent when nothing is left. */
export function compact(
  members: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  return present.length === 0 ? undefined : Object.fromEntries(present);
}
