/** Structured logs: JSON lines on standard error, with the one redactor as their last step. */
import { type Logger, pino } from 'pino';
import { redact } from '../kernel/redact.ts';

export type { Logger };

export function createLogger(
  level: string,
  write: (line: string) => void = (line) => process.stderr.write(line),
): Logger {
  return pino(
    { level, base: { service: 'keyfold' }, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line: string) => write(redact(line)) },
  );
}
