import { createInterface } from 'node:readline';
import { z } from 'zod';

const request = z.discriminatedUnion('what', [
  z.object({ what: z.literal('paced'), events: z.number().int(), perSecond: z.number() }),
  z.object({ what: z.literal('drain'), events: z.number().int() }),
]);
export type Request = z.infer<typeof request>;
/** `ms` per event for a paced load, the seconds it took for a drain. */
export const answer = z.object({ ms: z.array(z.number()), seconds: z.number() });
export type Answer = z.infer<typeof answer>;

/** Answers a JSON line with a JSON line until the input ends. */
export async function answerRequests(measure: (request: Request) => Promise<Answer>): Promise<void> {
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await measure(request.parse(JSON.parse(line))))}\n`);
  }
}
