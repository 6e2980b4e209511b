/**
 * The port to the search index of the audit log: for each block of records, the terms that stand in it. It is derived: it
 * finds the blocks worth reading, the records themselves say what matches, and it can be made anew from them at any time.
 */

/** `RECORDS_PER_BLOCK` records of one node, the first block beginning with record 1. */
export interface IndexedBlock {
  /** From 0. */
  readonly block: number;
  /** Earliest and latest time of its records. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Lower-case letters and digits, each once. */
  readonly terms: readonly string[];
  /** The chain's head after its last record: tells an index of another history. */
  readonly head: Uint8Array;
}

export interface LastBlock {
  readonly block: number;
  readonly head: Uint8Array;
}

export interface BlockQuery {
  readonly node: number;
  /** Blocks that have, of every group, one term at least. */
  readonly terms: readonly (readonly string[])[];
  /** Only blocks before this one. */
  readonly before: number;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly limit: number;
}

export interface SearchIndex {
  /** Grows when the index had to be made anew: nothing is in it then. */
  readonly generation: number;
  /** Of a node; `undefined` where none is indexed. */
  lastBlock(node: number): Promise<LastBlock | undefined>;
  /** Follows the last block without a gap; all of them or none. */
  add(node: number, blocks: readonly IndexedBlock[]): Promise<void>;
  /** The last block first. */
  find(query: BlockQuery): Promise<number[]>;
  /** Forgets what is indexed of a node from a block on. */
  forgetFrom(node: number, block: number): Promise<void>;
  /** Forgets what is indexed of a node before a block: its records are gone. */
  forgetBefore(node: number, block: number): Promise<void>;
  /** Whether this process is the one that writes the index, where several could. */
  mayWrite(): Promise<boolean>;
  close(): Promise<void>;
}

export const RECORDS_PER_BLOCK = 32;
