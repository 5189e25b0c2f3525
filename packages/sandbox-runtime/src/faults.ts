/** A refusal that the other side is told as a status and a stable code. */
export class RuntimeFault extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'RuntimeFault';
    this.status = status;
    this.code = code;
  }
}

/** The Node error code (`ENOENT`, …) of anything caught. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
