/** Types of columns that both databases read alike. */
import type { ColumnType } from 'kysely';

/** Read as `bigint` from both databases, so that money never passes through a float. */
export type Integer = ColumnType<bigint, bigint | number, bigint | number>;
/** Of a column that came later: a row that does not say has its default. */
export type LaterInteger = ColumnType<bigint, bigint | number | undefined, bigint | number>;
export type LaterNullableInteger = ColumnType<
  bigint | null,
  bigint | number | null | undefined,
  bigint | number | null
>;
export type NullableInteger = ColumnType<bigint | null, bigint | number | null, bigint | number | null>;
