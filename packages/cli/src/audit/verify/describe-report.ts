/** The report of a verification, in words for people and as JSON for programs. */
import { renderTable } from '../../terminal/table.ts';
import type { Style } from '../../terminal/style.ts';
import type { NoteReason } from './checkpoint-book.ts';
import type { Bad, BadReason } from './node-chain.ts';
import type { FileProblem, NodeReport, Report, Result } from './verification.ts';

export interface Given {
  readonly hasCheckpoints: boolean;
  readonly hasKey: boolean;
}

const BAD: Readonly<Record<BadReason, string>> = {
  changed: 'the record or its head was changed',
  removed: 'records are missing here',
  inserted: 'a record was inserted: its number is there twice',
  out_of_order: 'records are out of order',
  not_a_record: 'the line is no record of an export',
  too_long: 'the line is longer than any record',
  cut_off: 'the file ends in the middle of a line',
  rewritten: 'the records come to another head than the signed one: they were rewritten with their heads',
  truncated: 'a checkpoint was signed beyond the end: the log was cut off or rolled back',
  two_histories: 'two files have different records of the same numbers',
  not_covered: 'no checkpoint covers what a further file says of these records',
  beginning_missing: 'these records are not here, and no checkpoint says what they had come to',
};

const NOTES: Readonly<Record<NoteReason, string>> = {
  bad_signature: 'the signature does not hold',
  two_histories: 'another checkpoint of the same size has another head: there are two histories',
  unknown_key: 'it is signed by another key',
  torn: 'it was cut off and whole ones follow: a write that broke off, which is no error',
  not_a_note: 'it is no signed note, or cut off',
  not_a_checkpoint: 'what is signed is no checkpoint of this log',
};

const FILES: Readonly<Record<FileProblem['reason'], string>> = {
  digest_differs: 'is not what the manifest says: its SHA-256 differs',
  missing: 'is missing',
  not_a_manifest: 'has a line that is none of a manifest',
};

const RESULTS: Readonly<Record<Result, string>> = {
  intact: 'The log is intact.',
  tampered: 'THE LOG WAS TAMPERED WITH.',
  incomplete: 'Nothing that is here is wrong, and not everything is proven.',
};

const ROLES = { intact: 'good', tampered: 'bad', incomplete: 'warning' } as const;

export function describeReport(report: Report, given: Given, style: Style): string {
  const lines = [...report.nodes.flatMap(describeNode), ...describeRest(report, given)];
  return [
    report.nodes.length === 0 ? 'There are no records.\n' : renderNodes(report.nodes, style),
    ...lines.map((line) => `${line}\n`),
    `${style(ROLES[report.result], RESULTS[report.result])}\n`,
  ].join('');
}

function renderNodes(nodes: readonly NodeReport[], style: Style): string {
  const titles = ['node', 'records', 'first', 'last', 'checkpoints', 'matched', 'not covered yet'];
  const columns = [...titles.map((title) => ({ title, align: 'right' }) as const), { title: 'result' }];
  const rows = nodes.map((of) => [
    ...[of.node, of.records, of.first, of.last, of.checkpoints, of.matched, of.uncovered].map(String),
    of.result,
  ]);
  return renderTable(columns, rows, style);
}

function describeNode(of: NodeReport): string[] {
  const lines: string[] = [];
  const { node, bad, first } = of;
  if (bad !== undefined) lines.push(`Node ${node}: first bad record ${rangeOf(bad)}: ${BAD[bad.reason]}.`);
  if (first > 1 && bad?.reason !== 'beginning_missing') {
    lines.push(
      `Node ${node}: records 1 to ${first - 1} are not here; only the archive's folder, given before the rest, proves that they were not just deleted.`,
    );
  }
  if (bad === undefined && of.matched === 0 && of.checkpoints > 0 && of.records > 0) {
    lines.push(`Node ${node}: none of its checkpoints covers these records.`);
  }
  if (bad === undefined && of.matched > 0 && of.uncovered > 0) {
    lines.push(
      `Node ${node}: the last ${of.uncovered} records are covered by no checkpoint yet, which is no error.`,
    );
  }
  return lines;
}

function rangeOf({ sequence, through }: Bad): string {
  return through === undefined || through === sequence ? String(sequence) : `${sequence} to ${through}`;
}

function describeRest({ notes, files }: Report, given: Given): string[] {
  const lines = files.map(({ file, reason }) => `${file} ${FILES[reason]}.`);
  for (const { where, node, size, reason } of notes.problems) {
    const what = node === undefined ? '' : ` (node ${node}, size ${size})`;
    lines.push(`Checkpoint at ${where}${what}: ${NOTES[reason]}.`);
  }
  if (!given.hasCheckpoints) {
    lines.push(
      'Without checkpoints only the chain was verified: that proves nothing against whoever owns the database.',
    );
  } else if (!given.hasKey) {
    lines.push('Without a key no signature was checked: whoever has the files can have written them.');
  }
  return lines;
}

/** Heads and sequences as they are; `null` for what is not. */
export function reportToJson(report: Report): unknown {
  return {
    object: 'audit_verification',
    result: report.result,
    nodes: report.nodes.map((of) => ({
      node: of.node,
      result: of.result,
      records: of.records,
      first: of.first,
      last: of.last,
      head: of.head,
      checkpoints: of.checkpoints,
      checkpoints_matched: of.matched,
      records_not_covered: of.uncovered,
      first_bad:
        of.bad === undefined
          ? null
          : {
              sequence: of.bad.sequence,
              through: of.bad.through ?? of.bad.sequence,
              reason: of.bad.reason,
              message: BAD[of.bad.reason],
            },
    })),
    notes: {
      read: report.notes.read,
      problems: report.notes.problems.map((each) => ({ ...each, message: NOTES[each.reason] })),
    },
    files: report.files.map((each) => ({ ...each, message: FILES[each.reason] })),
  };
}
