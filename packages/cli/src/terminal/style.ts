/** Colour for people: only on a terminal, and never where NO_COLOR (no-color.org) is set. */
import { styleText } from 'node:util';
import type { Context } from '../context.ts';

export type Role = 'heading' | 'quiet' | 'good' | 'bad' | 'warning';

export type Style = (role: Role, text: string) => string;

const FORMATS = {
  heading: 'bold',
  quiet: 'dim',
  good: 'green',
  bad: 'red',
  warning: 'yellow',
} as const satisfies Record<Role, string>;

export const plainStyle: Style = (_role, text) => text;

export function createStyle(stream: Context['stdout'], env: Context['env']): Style {
  const isPlain = stream.isTTY !== true || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  if (isPlain) return plainStyle;
  return (role, text) => styleText(FORMATS[role], text, { validateStream: false });
}
