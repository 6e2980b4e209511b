/** Time and chance as the SDK sees them, injected so that tests neither wait nor guess. */

export interface Timing {
  /** Milliseconds since 1970-01-01 UTC. May jump. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** At least 0 and below 1. Spreads load; nothing secret is made of it. */
  random(): number;
  /**
   * Runs `task` once, after `delayMs` or after {@link TIMER_MS_MAX}, whichever is sooner: whoever plans further ahead
   * looks again. Returns how to call it off. With `background` the wait does not keep the program running, where the
   * runtime can tell.
   */
  schedule(task: () => void, delayMs: number, background?: 'background'): () => void;
}

/** What timers hold in 32 bits, about 24 days; runtimes fire at once for more. */
export const TIMER_MS_MAX = 2_147_483_647;

export const systemTiming: Timing = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  schedule: (task, delayMs, background) => {
    const timer: unknown = setTimeout(task, Math.min(delayMs, TIMER_MS_MAX));
    if (background !== undefined) unref(timer);
    return () => {
      clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
    };
  },
};

export interface SleepOptions {
  readonly signal?: AbortSignal | null | undefined;
  readonly background?: 'background' | undefined;
}

/** Resolves after `delayMs`. Rejects with the signal's reason as soon as that aborts. */
export function sleep(timing: Timing, delayMs: number, options: SleepOptions = {}): Promise<void> {
  const { signal, background } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const wake = () => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    const callOff = timing.schedule(wake, delayMs, background);
    const leave = () => {
      callOff();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', leave, { once: true });
  });
}

/** How long to wait before the next attempt: at random below a bound that doubles each time ("full jitter"). */
export function backOffMs(
  attempt: number,
  of: { readonly firstMs: number; readonly maxMs: number; readonly random: number },
): number {
  return of.random * Math.min(of.maxMs, of.firstMs * 2 ** (attempt - 1));
}

/** Browsers' timers are numbers and have nothing to let go of. */
function unref(timer: unknown): void {
  if (typeof timer !== 'object' || timer === null || !('unref' in timer)) return;
  if (typeof timer.unref === 'function') timer.unref();
}
