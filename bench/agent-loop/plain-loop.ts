/** The same conversations by hand: the `ai` package in a loop that keeps nothing. Answers each line with one. */
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { type ModelMessage, streamText, tool } from 'ai';
import { z } from 'zod';
import { goal } from './conversations.ts';

const { MODEL_URL } = z.object({ MODEL_URL: z.url() }).parse(process.env);
const load = z.object({ runs: z.number().int().positive() });
const model = createOpenAICompatible({ name: 'scripted', baseURL: MODEL_URL, includeUsage: true })(
  'scripted',
);
const tools = { noop: tool({ description: 'Does nothing.', inputSchema: z.strictObject({}) }) };

/** One conversation; returns how often the model was asked. */
async function converse(): Promise<number> {
  const messages: ModelMessage[] = [{ role: 'user', content: goal }];
  for (let asked = 1; ; asked += 1) {
    const result = streamText({ model, tools, messages, instructions: 'You are an agent.', maxRetries: 2 });
    const calls = await result.toolCalls;
    if (calls.length === 0) return asked;
    messages.push(...(await result.response).messages);
    for (const { toolCallId, toolName } of calls) {
      const output = { type: 'text' as const, value: JSON.stringify({ step: randomUUID() }) };
      messages.push({ role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] });
    }
  }
}

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { runs } = load.parse(JSON.parse(line));
  const started = performance.now();
  const asked = await Promise.all(Array.from({ length: runs }, converse));
  const seconds = (performance.now() - started) / 1_000;
  process.stdout.write(`${JSON.stringify({ seconds, calls: asked.reduce((sum, next) => sum + next, 0) })}\n`);
}
