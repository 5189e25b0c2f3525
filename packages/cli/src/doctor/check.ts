/** What a check found. `down` of something needed is what makes doctor fail. */
export interface Finding {
  readonly name: string;
  readonly status: 'up' | 'down' | 'absent' | 'unknown';
  /** False for what only some runs want, such as Python. */
  readonly needed: boolean;
  readonly detail: string;
  /** What to do; null when there is nothing to do. */
  readonly advice: string | null;
}

interface CheckOptions {
  readonly name: string;
  readonly needed: boolean;
  readonly advice: string;
}

const limitMs = 4_000;

/** Runs one check; what it throws, and a check that takes longer than four seconds, is a finding too. */
export async function check(options: CheckOptions, probe: () => Promise<string>): Promise<Finding> {
  const { name, needed, advice } = options;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return { name, needed, status: 'up', detail: await Promise.race([probe(), tooLate]), advice: null };
  } catch (error) {
    return { name, needed, status: needed ? 'down' : 'absent', detail: reasonOf(error), advice };
  } finally {
    clearTimeout(timer);
  }
}

/** A finding about something that cannot be asked because something else is down. */
export function unknown(name: string, needed: boolean, detail: string): Finding {
  return { name, needed, status: 'unknown', detail, advice: null };
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const inner = cause instanceof Error ? `: ${cause.message}` : '';
  return `${error.message || ('code' in error ? String(error.code) : error.name)}${inner}`;
}
