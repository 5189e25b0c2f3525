import { z } from 'zod';

/** What the program inside the cluster's network measures: each an act from its request to its end, in milliseconds. */
export const request = z.object({
  what: z.enum([
    ...(['cold', 'bare', 'leanest', 'warm', 'step', 'direct', 'round_trip'] as const),
    ...(['cold_at_once', 'bare_at_once'] as const),
  ]),
  /** How many: at once, or of a short act one after the other. */
  count: z.number().int().positive(),
});
export type Request = z.infer<typeof request>;

export const answer = z.object({
  ms: z.number().positive(),
  /** Of a session that was started: from its request to each phase, in milliseconds. */
  phases: z.record(z.string(), z.number()),
});
export type Answer = z.infer<typeof answer>;

/** A thing that was started, with what it took to its first byte. */
export interface Started extends Answer {
  /** Ends it; resolves when the cluster has been told. */
  end(): Promise<void>;
}
