/** Responsible for the sandbox's embeddings: vectors of length one, drawn from a hash of the text. */
import type { Prompt } from './read-prompt.ts';
import { countTokens, digestHex } from './tokens.ts';

const NUMBERS_PER_DIGEST = 16;

/** The body of an embeddings answer, in OpenAI's shape. */
export function embed(model: string, prompt: Prompt): object {
  const promptTokens = prompt.inputs.reduce((sum, input) => sum + countTokens(input), 0);
  return {
    object: 'list',
    data: prompt.inputs.map((input, index) => {
      const vector = vectorOf(input, prompt.dimensions);
      const embedding = prompt.encoding === 'base64' ? toBase64(vector) : Array.from(vector);
      return { object: 'embedding', index, embedding };
    }),
    model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}

function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  let digest = Buffer.alloc(0);
  let squares = 0;
  for (let index = 0; index < dimensions; index++) {
    const place = index % NUMBERS_PER_DIGEST;
    if (place === 0) digest = Buffer.from(digestHex(`${index / NUMBERS_PER_DIGEST}:${text}`), 'hex');
    const value = digest.readInt16BE(place * 2) / 32_768;
    vector[index] = value;
    squares += value * value;
  }
  // All zeros would need a hash of all zeros.
  const length = Math.sqrt(squares) || 1;
  return vector.map((value) => value / length);
}

/** 32-bit floats, little-endian, as OpenAI sends them. */
function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString('base64');
}
