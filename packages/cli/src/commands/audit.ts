/** `keyfold audit`: what proves the audit log. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addExamples, addGroup } from '../help.ts';
import { addAuditCheckpoints } from './audit/checkpoints.ts';
import { addAuditKey } from './audit/key.ts';

export function addAudit(program: Command, context: Context): void {
  const audit = addGroup(
    program,
    'audit',
    'The audit log: its signed checkpoints, and what they are verified with.',
  );
  addExamples(audit, 'keyfold audit checkpoints');
  addAuditCheckpoints(audit, context);
  addAuditKey(audit, context);
}
