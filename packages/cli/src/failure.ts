import { ArtifactMismatch } from '@swissbrain/client/artifacts';
import { ApiProblem, ConnectionError } from '@swissbrain/client/problem';
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import type { Style } from './style.ts';

/** A failure as it is shown: what happened, details, what to do, and the exit status it leads to. */
export interface Failure {
  readonly title: string;
  readonly details: readonly string[];
  readonly hint: string | null;
  readonly exitCode: number;
}

const hints: Readonly<Record<number, string>> = {
  401: 'The token is missing, expired or not signed for this SwissBrain: swissbrain token makes one for the local stack.',
  402: 'swissbrain credits shows the balance and what is held.',
  403: 'The token belongs to a user without this right.',
  404: 'swissbrain runs lists what this user has.',
  429: 'Too many requests for the tier of this user; wait a moment.',
};

/** Turns whatever was thrown into something a person can act on. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) {
    return { title: error.message, details: [], hint: error.hint, exitCode: error.exitCode };
  }
  if (error instanceof ApiProblem) return problemFailure(error);
  if (error instanceof ConnectionError) {
    return {
      title: error.message,
      details: [],
      hint: 'swissbrain doctor says what is up and what is not.',
      exitCode: exitCodes.unreachable,
    };
  }
  if (error instanceof ArtifactMismatch) {
    return {
      title: error.message,
      details: [],
      hint: 'Try again; if it stays, the storage has lost data.',
      exitCode: exitCodes.failure,
    };
  }
  return {
    title: error instanceof Error ? error.message : String(error),
    details: [],
    hint: null,
    exitCode: exitCodes.failure,
  };
}

function problemFailure(problem: ApiProblem): Failure {
  const details = [
    ...(problem.detail === '' ? [] : [problem.detail]),
    ...Object.entries(problem.extensions).flatMap(([name, value]) => describeExtension(name, value)),
    `${problem.status} ${problem.code}${problem.instance === null ? '' : `, ${problem.instance}`}`,
  ];
  const later = problem.retry === 'later' ? 'The same request may succeed in a moment.' : null;
  return {
    title: problem.title,
    details,
    hint: hints[problem.status] ?? later,
    exitCode: problem.status >= 500 ? exitCodes.failure : exitCodes.refused,
  };
}

function describeExtension(name: string, value: unknown): string[] {
  // A single one is the problem's detail already.
  if (name === 'errors' && Array.isArray(value) && value.length === 1) return [];
  if (Array.isArray(value))
    return value.map((item) => `${name}: ${typeof item === 'string' ? item : describeItem(item)}`);
  return [`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
}

/** `{ in, pointer, detail }`, the shape of a validation problem's entries, reads better than its JSON. */
function describeItem(item: unknown): string {
  if (typeof item === 'object' && item !== null && 'pointer' in item && 'detail' in item) {
    const part = 'in' in item ? String(item.in) : '';
    return `${part}${String(item.pointer)} ${String(item.detail)}`.trim();
  }
  return JSON.stringify(item);
}

/** The lines for standard error. */
export function renderFailure(failure: Failure, style: Style): string {
  const lines = [
    `${style.red('error')} ${style.bold(failure.title)}`,
    ...failure.details.map((detail) => `      ${detail}`),
    ...(failure.hint === null ? [] : [`${style.cyan(' hint')} ${failure.hint}`]),
  ];
  return `${lines.join('\n')}\n`;
}
