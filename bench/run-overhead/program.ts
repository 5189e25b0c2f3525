import { z } from 'zod';
import { startLineProgram } from '../line-program.ts';

/** So many chains of so many no-op steps, each step after the one before it. */
export interface Load {
  readonly workflows: number;
  readonly steps: number;
}

/** One measurement. */
export interface Sample {
  /** From the first request until the last step is recorded for good. */
  readonly seconds: number;
  /** How long each step took, from the end of the one before it. */
  readonly stepMs: readonly number[];
}

const sample = z.object({ seconds: z.number().positive(), stepMs: z.array(z.number()) });

/** A baseline in a process of its own that answers one JSON line for each line it is sent. */
export interface Program {
  measure(load: Load): Promise<Sample>;
  stop(): Promise<void>;
}

/** Starts a baseline and waits until it says that it is ready. */
export async function startProgram(file: string, environment: Record<string, string>): Promise<Program> {
  const { ask, stop } = await startLineProgram(file, environment);
  return { measure: async (load) => sample.parse(await ask(load)), stop };
}
