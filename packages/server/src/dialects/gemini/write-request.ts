/**
 * Writes a chat as a `GenerateContentRequest` (ai.google.dev/api/generate-content), or refuses what Gemini cannot be told
 * by the client's own name for it. The model, and whether it streams, stand in the path.
 */
import type { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, JsonObject, Tool } from '../chat.ts';
import { Reading } from '../reading.ts';
import { presentFields } from './present-fields.ts';
import { writeGenerationConfig, writeToolConfig } from './write-settings.ts';
import { writeTurns } from './write-turns.ts';

export function writeRequest(chat: ChatRequest, upstreamModel: string): Buffer | Denial {
  const reading = new Reading();
  const system = chat.system.map(({ text }) => ({ text }));
  const tools = chat.tools.map((tool) => writeTool(tool, reading));
  if (tools.length > TOOLS_MAX) {
    reading.unsupported(
      chat.tools[TOOLS_MAX]?.at ?? '',
      `is one of more than ${TOOLS_MAX}, the most that Gemini takes`,
    );
  }
  const body = presentFields<Record<string, unknown>>({
    systemInstruction: system.length === 0 ? undefined : { parts: system },
    contents: writeTurns(chat, upstreamModel, reading),
    tools: tools.length === 0 ? undefined : [{ functionDeclarations: tools }],
    toolConfig: writeToolConfig(chat),
    generationConfig: writeGenerationConfig(chat, upstreamModel, reading),
  });
  return reading.refusal ?? Buffer.from(JSON.stringify(body));
}

function writeTool({ name, description, schema, at }: Tool, reading: Reading): JsonObject {
  if (!TOOL_NAME.test(name)) {
    reading.unsupported(
      at,
      'has a name that Gemini does not take: letters, digits and _.:- with at most 128 characters',
    );
  }
  return presentFields<JsonObject>({ name, description, parametersJsonSchema: schema });
}

/** Of declarations in one tool. */
const TOOLS_MAX = 512;
const TOOL_NAME = /^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/;
