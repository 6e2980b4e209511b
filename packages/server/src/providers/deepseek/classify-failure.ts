/**
 * Responsible for what DeepSeek's errors mean ("Error Codes", api-docs.deepseek.com): by their statuses, what they mean at
 * every compatible server. Only words tell a model that does not exist from any other wrong request.
 */
import { JsonRefusal, parseJsonObject } from '../../kernel/json-scan.ts';
import { failureClass } from '../failure-class.ts';
import { classifyFailure as classifyCompatible } from '../openai-compatible/classify-failure.ts';
import type { FailureClass } from '../provider.ts';
import { fieldsOf } from '../strict-usage.ts';

export function classifyFailure(status: number, body: Buffer): FailureClass {
  return status === 400 && readMessage(body) === NO_SUCH_MODEL
    ? failureClass('model')
    : classifyCompatible(status, body);
}

function readMessage(body: Buffer): unknown {
  const fields = parseJsonObject(body);
  return fields instanceof JsonRefusal ? undefined : fieldsOf(fields['error'])?.['message'];
}

/** In no document, but in many users' reports. */
const NO_SUCH_MODEL = 'Model Not Exist';
