import { RuntimeFault } from './faults.ts';
import { type ExecutionLimits, type ExecutionRequest, languages } from './protocol.ts';

/** What the session allows any of its executions. */
export interface SessionCaps {
  readonly wallMs: number;
  readonly memoryMb: number;
}

const defaultOutputBytes = 1024 * 1024;
const maxOutputBytes = 16 * 1024 * 1024;
const maxCodeBytes = 1024 * 1024;
const maxArguments = 256;
const maxArgumentBytes = 64 * 1024;
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the body of `PUT /executions/{id}`. Limits that are left out get their default, limits above the session's
 * are lowered to it.
 * @throws RuntimeFault `request_invalid`, naming the field
 */
export function parseExecutionRequest(body: Buffer, caps: SessionCaps): ExecutionRequest {
  const fields = object(parseJson(body), 'body');
  only(fields, 'body', ['language', 'code', 'file', 'args', 'env', 'limits']);
  const language = languages.find((known) => known === fields.language);
  if (!language) throw invalid('language', `is one of ${languages.join(', ')}`);
  const code = fields.code === undefined ? null : text(fields.code, 'code', maxCodeBytes);
  const file = fields.file === undefined ? null : text(fields.file, 'file', maxArgumentBytes);
  if ((code === null) === (file === null)) throw invalid('code', 'exactly one of code and file is given');
  return {
    language,
    code,
    file,
    args: parseArguments(fields.args),
    env: parseEnvironment(fields.env),
    limits: parseLimits(fields.limits, caps),
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw invalid('body', 'is JSON');
  }
}

function parseArguments(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > maxArguments)
    throw invalid('args', `is a list of at most ${maxArguments}`);
  return value.map((argument, index) => singleLine(argument, `args[${index}]`));
}

function parseEnvironment(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  const fields = object(value, 'env');
  // Sorted, so that the same variables in another order are the same request.
  const entries = Object.entries(fields).sort(([left], [right]) => (left < right ? -1 : 1));
  if (entries.length > maxArguments) throw invalid('env', `has at most ${maxArguments} variables`);
  return Object.fromEntries(
    entries.map(([name, content]) => {
      if (!variablePattern.test(name)) throw invalid('env', 'has names of letters, digits and _');
      return [name, singleLine(content, `env.${name}`)];
    }),
  );
}

function parseLimits(value: unknown, caps: SessionCaps): ExecutionLimits {
  const fields = value === undefined ? {} : object(value, 'limits');
  only(fields, 'limits', ['wall_ms', 'memory_mb', 'output_bytes', 'on_output_limit']);
  const { on_output_limit = 'truncate' } = fields;
  if (on_output_limit !== 'truncate' && on_output_limit !== 'kill') {
    throw invalid('limits.on_output_limit', 'is truncate or kill');
  }
  return {
    wall_ms: limit(fields, 'wall_ms', caps.wallMs, caps.wallMs),
    memory_mb: limit(fields, 'memory_mb', caps.memoryMb, caps.memoryMb),
    output_bytes: limit(fields, 'output_bytes', defaultOutputBytes, maxOutputBytes),
    on_output_limit,
  };
}

function limit(fields: Fields, name: string, otherwise: number, most: number): number {
  const value = fields[name] ?? otherwise;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw invalid(`limits.${name}`, 'is a positive whole number');
  }
  return Math.min(value, most);
}

function object(value: unknown, field: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(field, 'is an object');
  return value as Fields;
}

function only(fields: Fields, where: string, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(where, `has no field ${unknown.slice(0, 64)}`);
}

function text(value: unknown, field: string, maxBytes: number): string {
  if (typeof value !== 'string') throw invalid(field, 'is a string');
  if (Buffer.byteLength(value) > maxBytes) throw invalid(field, `has at most ${maxBytes} bytes`);
  return value;
}

function singleLine(value: unknown, field: string): string {
  const checked = text(value, field, maxArgumentBytes);
  if (checked.includes('\0')) throw invalid(field, 'holds no NUL character');
  return checked;
}

function invalid(field: string, rule: string): RuntimeFault {
  return new RuntimeFault(400, 'request_invalid', `${field} ${rule}`);
}
