/** Responsible for finding the names in a vendor's list of models: an object with a list of objects, each with its name. */
import { JsonRefusal, parseJsonObject } from '../kernel/json-scan.ts';
import { fieldsOf } from './strict-usage.ts';

/** `undefined` when the body is no such list. Never throws. */
export function readModelNames(
  body: Buffer,
  where: { readonly list: string; readonly name: string },
): readonly string[] | undefined {
  const fields = parseJsonObject(body);
  const models = fields instanceof JsonRefusal ? undefined : fields[where.list];
  if (!Array.isArray(models)) return undefined;
  const names = models.map((model) => fieldsOf(model)?.[where.name]);
  return names.every((name) => typeof name === 'string') ? names : undefined;
}
