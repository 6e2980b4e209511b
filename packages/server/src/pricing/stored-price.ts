/** A price as JSON text in the database: the same fields, with integers of money as decimal text. */
import { nanosPerMillion, type ModelPrice } from './model-price.ts';

const MARK = 'n:';

export function renderStoredPrice(price: ModelPrice): string {
  return JSON.stringify(price, (_name, value: unknown) =>
    typeof value === 'bigint' ? `${MARK}${value}` : value,
  );
}

/** Reads what `renderStoredPrice` wrote. Throws when an amount is out of range. */
export function parseStoredPrice(text: string): ModelPrice {
  return JSON.parse(text, (name, value: unknown) =>
    name.endsWith('PerMillion') && typeof value === 'string'
      ? nanosPerMillion(BigInt(value.slice(MARK.length)))
      : value,
  ) as ModelPrice;
}
