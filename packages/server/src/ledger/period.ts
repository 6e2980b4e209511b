/** Budget periods: UTC day, UTC month, or all time. Spend is kept under the period's start, so nothing needs to be reset. */

export const PERIODS = ['day', 'month', 'total'] as const;
export type Period = (typeof PERIODS)[number];

const DAY_MS = 86_400_000;

/** The start of the period that a time lies in, in milliseconds since 1970; 0 for `total`. */
export function periodStartMs(period: Period, atMs: number): number {
  switch (period) {
    case 'day':
      return Math.floor(atMs / DAY_MS) * DAY_MS;
    case 'month': {
      const at = new Date(atMs);
      return Date.UTC(at.getUTCFullYear(), at.getUTCMonth());
    }
    case 'total':
      return 0;
  }
}

/** When the period that a time lies in ends, which is when its budget is whole again; `undefined` for `total`. */
export function periodEndMs(period: Period, atMs: number): number | undefined {
  switch (period) {
    case 'day':
      return periodStartMs('day', atMs) + DAY_MS;
    case 'month': {
      const at = new Date(atMs);
      return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1);
    }
    case 'total':
      return undefined;
  }
}
