import { CliError } from '../cli-error.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const word = /^([a-z_]+|\*)$/;

/** Narrows a pattern to one user's or one run's events. */
export interface SubjectScope {
  readonly user?: string | undefined;
  readonly run?: string | undefined;
}

/**
 * The NATS subject that a pattern means. `run.*`, `run`, `credits.reserved` and `*` name types of events, a
 * run's id means all of its events, and a subject (`sb.…`) is taken as it is. Subjects have five words,
 * `sb.<entity>.<event>.<owner>.<root>`.
 * @throws CliError for a pattern that can match no event
 */
export function subjectFor(pattern: string, scope: SubjectScope = {}): string {
  const owner = identifier('user', scope.user);
  const root = identifier('run', scope.run);
  if (pattern.startsWith('sb.')) {
    if (owner !== '*' || root !== '*')
      throw new CliError('--user and --run go with a type, not with a subject');
    return pattern;
  }
  if (uuid.test(pattern.toLowerCase())) return `sb.*.*.${owner}.${pattern.toLowerCase()}`;
  const [entity = '', event = '*', ...more] = pattern.split('.');
  if (!word.test(entity) || !word.test(event) || more.length > 0) {
    throw new CliError(`not a pattern of events: ${pattern}`, {
      hint: "Write a type ('run.*', credits.reserved), a run's id, or a subject ('sb.run.>').",
    });
  }
  return `sb.${entity}.${event}.${owner}.${root}`;
}

function identifier(option: string, value: string | undefined): string {
  if (value === undefined) return '*';
  if (!uuid.test(value.toLowerCase())) throw new CliError(`--${option} is an id, not ${value}`);
  return value.toLowerCase();
}
