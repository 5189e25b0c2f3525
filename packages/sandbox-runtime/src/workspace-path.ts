import { RuntimeFault } from './faults.ts';
import { reservedPrefix } from './protocol.ts';

/** A longer path cannot be asked for, listed or kept. */
export const maxPathBytes = 1_024;
const maxNameBytes = 255;

/**
 * The parts of a path of the workspace: relative, `/` between parts, nothing that leads out or nowhere.
 * @throws RuntimeFault `path_refused`
 */
export function parseWorkspacePath(path: string): string[] {
  const refuse = (why: string) => new RuntimeFault(400, 'path_refused', `the path is refused: ${why}`);
  if (path === '') throw refuse('it is empty');
  if (Buffer.byteLength(path) > maxPathBytes) throw refuse(`it is longer than ${maxPathBytes} bytes`);
  if (path.includes('\0')) throw refuse('it holds a NUL character');
  if (path.startsWith('/')) throw refuse('it is absolute');
  const parts = path.split('/');
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') throw refuse('it holds an empty part, "." or ".."');
    if (Buffer.byteLength(part) > maxNameBytes) throw refuse(`a name is longer than ${maxNameBytes} bytes`);
  }
  if (parts[0]?.startsWith(reservedPrefix))
    throw refuse(`names that begin with ${reservedPrefix} are reserved`);
  return parts;
}

/**
 * Whether a link at `path` with this target stays inside the workspace, whatever other links that keep this rule
 * are there: `..` may only come first, because behind the name of another link it would lead from where that points.
 */
export function linkStaysInside(path: readonly string[], target: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return false;
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const firstName = parts.findIndex((part) => part !== '..');
  const ups = firstName === -1 ? parts.length : firstName;
  return ups < path.length && !parts.slice(ups).includes('..');
}
