/** Writes a smaller output limit over that of the client, for keys whose calls may be cut to what a budget still buys. */
import { Fault } from '../../kernel/fault.ts';
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import { BodyEdits } from '../../providers/edit-body.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import { findOutputLimits } from '../reading/read-generation.ts';

/** Where the client named no limit nothing is written here: the estimate's cap is. */
export function clampOutput(call: ParsedCall, outputTokensMax: number): ParsedCall {
  if (call.outputTokensMax === undefined) return call;
  const edits = new BodyEdits(call.scan);
  for (const { span, tokens } of findOutputLimits(call.endpoint, call.scan)) {
    if (tokens > outputTokensMax) edits.replace(span, String(outputTokensMax));
  }
  const body = edits.apply();
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal) throw new Fault('internal', { internal: 'an edited body is no object' });
  return { ...call, body, scan, outputTokensMax: Math.min(outputTokensMax, call.outputTokensMax) };
}
