/** The verification of an exported log, line by line: sorts records by node, and says in the end what holds and what does not. */
import type { CheckpointBook, NoteProblem } from './checkpoint-book.ts';
import { type ExportLine, readExportLine } from './export-line.ts';
import type { LineEnd } from './line-cutter.ts';
import { type Bad, type BadReason, type ChainOptions, NodeChain } from './node-chain.ts';

export type Result = 'intact' | 'tampered' | 'incomplete';

export interface NodeReport {
  readonly node: number;
  readonly result: Result;
  readonly records: number;
  /** Sequences; 0 where there is no record. */
  readonly first: number;
  readonly last: number;
  readonly head: string;
  /** Checkpoints of this node that were given, and those whose head its records come to. */
  readonly checkpoints: number;
  readonly matched: number;
  /** Records at the end that no checkpoint covers. */
  readonly uncovered: number;
  /** Where it is not the result of tampering, the node is `incomplete`. */
  readonly bad: Bad | undefined;
}

export interface FileProblem {
  readonly file: string;
  readonly reason: 'digest_differs' | 'missing' | 'not_a_manifest';
}

export interface Report {
  readonly result: Result;
  readonly nodes: readonly NodeReport[];
  readonly notes: { readonly read: number; readonly problems: readonly NoteProblem[] };
  readonly files: readonly FileProblem[];
}

export interface VerificationOptions extends ChainOptions {
  /** Records of other nodes are passed over. */
  readonly onlyNode?: number | undefined;
}

/** No database has more; a file that names more is no export. */
const NODES_MAX = 99_999;

export class Verification {
  readonly #book: CheckpointBook;
  readonly #options: VerificationOptions;
  readonly #chains = new Map<number, NodeChain>();
  readonly #files: FileProblem[] = [];
  #seenInFile = new Set<number>();
  /** Of the line before, whose neighbours are most likely of the same node. */
  #current: NodeChain | undefined;
  /** A line that is none, and of which only the next one tells whose it was. */
  #broken: BadReason | undefined;
  records = 0;

  /** `book` must hold every checkpoint by now. */
  constructor(book: CheckpointBook, options: VerificationOptions) {
    this.#book = book;
    this.#options = options;
  }

  beginFile(): void {
    this.#settleBroken(undefined);
    this.#seenInFile = new Set();
  }

  addLine(line: Buffer, end: LineEnd): void {
    const at = end === 'line_feed' ? readExportLine(line) : undefined;
    this.records++;
    if (at === undefined) {
      // Several in a row are one: a line feed that was put into a record has cut it in two.
      this.#broken ??= end === 'line_feed' ? 'not_a_record' : end;
      return;
    }
    const { onlyNode } = this.#options;
    if (onlyNode !== undefined && at.node !== onlyNode) return;
    this.#settleBroken(at);
    const chain = this.#chainOf(at.node);
    const isNewFile = !this.#seenInFile.has(at.node);
    if (isNewFile) this.#seenInFile.add(at.node);
    chain.add(line, at, isNewFile);
    this.#current = chain;
  }

  addFileProblem(problem: FileProblem): void {
    this.#files.push(problem);
  }

  finish(): Report {
    this.#settleBroken(undefined);
    const { isPart, onlyNode } = this.#options;
    if (!isPart) {
      for (const node of this.#book.nodes) {
        if (onlyNode === undefined || node === onlyNode) this.#chainOf(node);
      }
    }
    const chains = [...this.#chains.values()].toSorted((a, b) => a.node - b.node);
    const nodes = chains.map((chain) => this.#report(chain));
    return {
      result: this.#judge(nodes),
      nodes,
      notes: { read: this.#book.notes, problems: this.#book.problems },
      files: this.#files,
    };
  }

  /** The line belongs where the one that follows shows a place for it, else where the one before was. */
  #settleBroken(next: ExportLine | undefined): void {
    const reason = this.#broken;
    if (reason === undefined) return;
    this.#broken = undefined;
    const following = next === undefined ? undefined : this.#chainOf(next.node);
    const isOfNext = following !== undefined && next?.sequence === following.expected + 1;
    const chain = isOfNext ? following : (this.#current ?? following ?? this.#chainOf(1));
    chain.addBroken(reason);
  }

  #chainOf(node: number): NodeChain {
    const known = this.#current?.node === node ? this.#current : this.#chains.get(node);
    if (known !== undefined) return known;
    if (this.#chains.size >= NODES_MAX) throw new RangeError('there are more nodes than any log has');
    const chain = new NodeChain(node, this.#book.headsOf(node), this.#options);
    this.#chains.set(node, chain);
    return chain;
  }

  #report(chain: NodeChain): NodeReport {
    chain.finish();
    const { node, records, first, last, head, matched, bad, isBeginningUnknown } = chain;
    // Whoever has the database can delete up to a signed head, which is public, and go on from there as they like: where a log
    // begins later, only its archive proves it, and records that come to no signed head are proven by nothing.
    const isWhole = first === 1 || this.#options.isPart;
    const isProven = matched > 0 && isWhole && !isBeginningUnknown && chain.unproven === undefined;
    const beginning: Bad | undefined = isBeginningUnknown
      ? { sequence: 1, through: first - 1, reason: 'beginning_missing' }
      : undefined;
    const result = bad !== undefined ? 'tampered' : isProven ? 'intact' : 'incomplete';
    return {
      node,
      result,
      records,
      first,
      last,
      head,
      checkpoints: this.#book.headsOf(node).size,
      matched,
      uncovered: chain.uncovered,
      bad: bad ?? beginning ?? chain.unproven,
    };
  }

  #judge(nodes: readonly NodeReport[]): Result {
    const isTampered =
      this.#book.isTampered ||
      nodes.some(({ result }) => result === 'tampered') ||
      this.#files.some(({ reason }) => reason === 'digest_differs');
    if (isTampered) return 'tampered';
    const isIncomplete =
      nodes.length === 0 ||
      this.#book.isIncomplete ||
      this.#files.length > 0 ||
      nodes.some(({ result }) => result === 'incomplete');
    return isIncomplete ? 'incomplete' : 'intact';
  }
}
