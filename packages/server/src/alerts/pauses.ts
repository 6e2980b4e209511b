/** Which rules say no more about which subjects for now: they have fired about them a moment ago. */
import type { StoredEvent } from '../audit/stored-event.ts';
import { BoundedMap } from './bounded-map.ts';
import { type Rule, renderVersion } from './rule.ts';
import { nameOf } from './watched-key.ts';

const FIRED_MAX = 50_000;

export class Pauses {
  readonly #untilMs = new BoundedMap<number>(FIRED_MAX);

  isQuiet(name: string, atMs: number): boolean {
    return (this.#untilMs.get(name) ?? -Infinity) > atMs;
  }

  begin(name: string, { cooldownS }: Rule, atMs: number): void {
    this.#untilMs.set(name, atMs + cooldownS * 1_000);
  }

  /** Whoever has fired, this process or another: the pause is the same for all, until the rule is changed. */
  remember(rule: Rule, { timeMs, detail }: StoredEvent): void {
    const { subject, found_at: foundAt, rule_updated_at: version } = detail;
    if (typeof subject !== 'string' || typeof foundAt !== 'string') return;
    if (version !== renderVersion(rule)) return;
    // It was found before it was recorded.
    this.begin(nameOf(rule, subject), rule, Math.min(Date.parse(foundAt), timeMs));
  }

  /** The key was resumed: no rule is quiet about it. */
  forget(keyId: string): void {
    const names = [...this.#untilMs.entries()].map(([name]) => name);
    for (const name of names) if (name.endsWith(` ${keyId}`)) this.#untilMs.take(name);
  }
}
