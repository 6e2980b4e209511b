/** The fields that are looked for in a streamed answer of Gemini's (`GenerateContentResponse`). */
import { FieldFinder } from '../field-finder.ts';

export type AnswerField = 'usageMetadata' | 'promptFeedback' | 'error' | 'finishReason' | 'groundingMetadata';

export class AnswerFields extends FieldFinder<AnswerField> {
  constructor() {
    super({
      top: ['usageMetadata', 'promptFeedback', 'error'],
      inside: { key: 'candidates', isList: true, fields: ['finishReason', 'groundingMetadata'] },
    });
  }
}
