/** `keyfold audit`: the audit log as evidence. One line here for each of its commands. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { addGroup } from '../../help.ts';
import { addAuditCheckpoints } from './checkpoints.ts';
import { addAuditExport } from './export.ts';
import { addAuditHolds } from './holds.ts';
import { addAuditKey } from './key.ts';
import { addAuditSearch } from './search.ts';
import { addAuditTail } from './tail.ts';
import { addAuditVerify } from './verify.ts';

export function addAudit(program: Command, context: Context): void {
  const audit = addGroup(program, 'audit', 'The audit log: search it, follow it, prove it, keep it.');
  addAuditSearch(audit, context);
  addAuditTail(audit, context);
  addAuditExport(audit, context);
  addAuditVerify(audit, context);
  addAuditCheckpoints(audit, context);
  addAuditKey(audit, context);
  addAuditHolds(audit, context);
}
