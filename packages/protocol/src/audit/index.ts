/** What proves the audit log: its signed notes and its checkpoints, as text. No cryptography here. */
export * from './checkpoint.ts';
export * from './signed-note.ts';
