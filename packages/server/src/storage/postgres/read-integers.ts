/** PostgreSQL's 64-bit integers and sums of them, read as `bigint`, as SQLite's are. */
import pg from 'pg';

const INT8 = 20;
const NUMERIC = 1700;

export const readIntegersAsBigint: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 || oid === NUMERIC
      ? BigInt
      : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
};
