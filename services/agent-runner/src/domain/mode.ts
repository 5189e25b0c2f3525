import { z } from 'zod';

/** A mode of work as its file describes it: what the model is told, which tools it has, how far it may go. */
export const modeFile = z.strictObject({
  description: z.string().min(1).max(200),
  instructions: z.string().min(1).max(20_000),
  /** Names or types of tools; `prefix*` stands for all that begin so. */
  tools: z.array(z.string().regex(/^[A-Za-z0-9_-]*\*?$/)).max(200),
  limits: z.strictObject({
    /** Calls of the model. */
    max_steps: z.number().int().min(1).max(10_000),
    /** Wall clock from the run's first start. */
    max_seconds: z.number().int().min(1).max(604_800),
    /** Calls beside each other that only read. */
    max_parallel_tools: z.number().int().min(1).max(64),
    /** Of one answer, where it is less than the model's own limit. */
    max_output_tokens: z.number().int().min(1).max(1_000_000).optional(),
  }),
});
export type ModeFile = z.infer<typeof modeFile>;

/** Whether a mode allows a tool. */
export function allowsTool(mode: ModeFile, tool: { readonly name: string; readonly type: string }): boolean {
  return mode.tools.some((pattern) => {
    if (!pattern.endsWith('*')) return pattern === tool.name || pattern === tool.type;
    return tool.name.startsWith(pattern.slice(0, -1));
  });
}
