/** What one check of `keyfold doctor` finds. */

export interface Finding {
  readonly name: string;
  /** `skipped`: it could not be asked, which is neither good nor bad. */
  readonly state: 'ok' | 'failed' | 'skipped';
  readonly text: string;
  /** What to do; always there where the check failed. */
  readonly advice?: string;
}

export function ok(name: string, text: string): Finding {
  return { name, state: 'ok', text };
}

export function failed(name: string, text: string, advice: string): Finding {
  return { name, state: 'failed', text, advice };
}

export function skipped(name: string, text: string, advice?: string): Finding {
  return advice === undefined ? { name, state: 'skipped', text } : { name, state: 'skipped', text, advice };
}

/** The system's word for what went wrong, such as `EACCES`, else the message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
