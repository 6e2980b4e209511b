/** The name of a model as a client writes it. */
import type { Denial } from '../../kernel/denial.ts';
import { invalid } from './read-generation.ts';

/** No control characters, surrogates or invisible marks: a name is shown, logged and stored. */
const MODEL_NAME = /^[^\p{Cc}\p{Cs}\p{Cf}]{1,256}$/u;

export function checkModelName(name: string): string | Denial {
  return MODEL_NAME.test(name)
    ? name
    : invalid('model', 'must be a name of 1 to 256 characters, none of them invisible');
}
