/**
 * Responsible for the request to DeepSeek: that of every compatible server. Its own fields, such as `thinking` and a
 * message's `reasoning_content`, pass as the client wrote them, and its limit on output, `max_tokens`, counts thinking.
 */
export { buildRequest } from '../openai-compatible/build-request.ts';
