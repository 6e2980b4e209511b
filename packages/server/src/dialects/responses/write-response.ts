/** Responsible for the response object itself, which a whole answer is and which frames a streamed one. */
import type { ReportedUsage } from '../../providers/provider.ts';
import type { AnswerContext } from '../dialect.ts';
import { foldMedia } from '../fold-media.ts';
import type { OutputWriter } from './write-output.ts';

/** Which answer it is. */
export interface ResponseHead {
  readonly id: string;
  readonly model: string;
  readonly createdAtS: number;
}

/** Ours where the vendor gives none. */
export function headOf(
  answer: { readonly id: string; readonly model: string },
  { requestId, model, createdAtS }: AnswerContext,
): ResponseHead {
  return { id: answer.id || `resp_${requestId}`, model: answer.model || model, createdAtS };
}

/** Before any output. */
export function writeBegun(head: ResponseHead): object {
  return { ...writeHead(head), status: 'in_progress', incomplete_details: null, output: [] };
}

export function writeEnded(
  head: ResponseHead,
  output: OutputWriter,
  usage: ReportedUsage | undefined,
): object {
  const reason = output.incompleteReason;
  return {
    ...writeHead(head),
    status: reason === undefined ? 'completed' : 'incomplete',
    incomplete_details: reason === undefined ? null : { reason },
    output: output.items,
    ...(usage === undefined ? {} : { usage: writeUsage(usage) }),
  };
}

/** Fields of the request are not repeated: those that the client's types want are null, or what they are by default. */
function writeHead({ id, model, createdAtS }: ResponseHead): object {
  return {
    id,
    object: 'response',
    created_at: createdAtS,
    model,
    error: null,
    instructions: null,
    metadata: null,
    parallel_tool_calls: true,
    temperature: null,
    tool_choice: 'auto',
    tools: [],
    top_p: null,
  };
}

/** OpenAI's sums: the input counts what was cached and what was written to a cache, the output counts reasoning. */
function writeUsage(usage: ReportedUsage): object {
  const { input, cached, written, longWritten, output, reasoning } = foldMedia(usage);
  const inputTokens = input + cached + written + longWritten;
  const outputTokens = output + reasoning;
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: written + longWritten },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: inputTokens + outputTokens,
  };
}
