/** PostgreSQL's integers of every width, and sums of them, read as `bigint`, as SQLite's are. */
import pg from 'pg';

const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const NUMERIC = 1700;
const INTEGERS: readonly number[] = [INT2, INT4, INT8, NUMERIC];

export const readIntegersAsBigint: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    INTEGERS.includes(oid) ? BigInt : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
};
