/** What must be known of a model's price before a call under a budget may leave. */
import { Denial } from '../../kernel/denial.ts';
import type { ModelPrice } from '../../pricing/model-price.ts';
import type { Endpoint } from '../../providers/provider.ts';
import type { Target } from '../../routing/target.ts';
import { mediaOutputOf } from '../reading/media-output.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';

/** What puts out as much as its model makes of it: nothing in the call limits it. */
export const MAKERS: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'images.generations',
  'audio.speech',
  'audio.transcriptions',
  'audio.translations',
]);

/** Where prices of media are kept, and what they are called in the API. */
const MEDIUM_PRICES = {
  heard: ['audioInputPerMillion', 'audio_input_usd_per_million'],
  audio: ['audioOutputPerMillion', 'audio_output_usd_per_million'],
  image: ['imageOutputPerMillion', 'image_output_usd_per_million'],
} as const;
type MediumPrice = keyof typeof MEDIUM_PRICES;

/** `model_unpriced`, naming what is to be set; `undefined` where nothing is missing. */
export function findUnknownPrice(call: ParsedCall, target: Target): Denial | undefined {
  const { price } = target;
  if (price === undefined) return refuse(target, 'has no price', 'Set one');
  const missing = findMissing(call, price);
  if (missing !== undefined) {
    return refuse(
      target,
      'has no price for what this call is sure to need',
      `Set ${MEDIUM_PRICES[missing][1]}`,
    );
  }
  if (!MAKERS.has(call.endpoint) || price.outputTokensMax !== undefined) return undefined;
  return refuse(target, 'may put out as much as it likes, for all that is known', 'Set output_tokens_max');
}

/** Audio and images cost many times what text does, whose price says nothing of theirs. */
function findMissing(call: ParsedCall, price: ModelPrice): MediumPrice | undefined {
  const made = mediaOutputOf(call, price);
  const needed: readonly MediumPrice[] = call.recording === undefined ? made : ['heard', ...made];
  return needed.find((each) => {
    const [rate] = MEDIUM_PRICES[each];
    return [price, price.above].some((rates) => rates !== undefined && rates[rate] === undefined);
  });
}

function refuse({ provider, model }: Target, what: string, instead: string): Denial {
  return new Denial('model_unpriced', {
    param: 'model',
    message: `The model '${provider}/${model}' ${what}, and this key is under a budget. ${instead} with PUT /v1/catalog/models/${provider}/${model}.`,
  });
}
