import { describe, expect, it } from 'vitest';
import { judgeEnd } from './end-of-execution.ts';
import type { EndReason, ExecutionRequest } from './protocol.ts';

const request: ExecutionRequest = {
  language: 'javascript',
  code: '',
  file: null,
  args: [],
  env: {},
  limits: { wall_ms: 1_500, memory_mb: 64, output_bytes: 10, on_output_limit: 'kill' },
};
const exit = (exitCode: number | null, signal: string | null = null) => ({
  exitCode,
  signal,
  spawnError: null,
});
const v8 = 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n';
const python = 'Traceback (most recent call last):\nMemoryError\n';

describe('the reason of an end', () => {
  it.each<[string, ReturnType<typeof exit>, EndReason | null, string, EndReason]>([
    ['a clean exit', exit(0), null, '', 'exited'],
    ['a failure', exit(1), null, 'Error: x', 'exited'],
    ['a crash', exit(null, 'SIGSEGV'), null, '', 'exited'],
    ['a kill from elsewhere', exit(null, 'SIGKILL'), null, '', 'exited'],
    ['V8 out of memory', exit(null, 'SIGABRT'), null, v8, 'memory'],
    ['Python out of memory', exit(1), null, python, 'memory'],
    ['talk about memory before a clean exit', exit(0), null, v8, 'exited'],
    ['the clock', exit(null, 'SIGTERM'), 'timeout', '', 'timeout'],
    ['a clean exit when told to stop', exit(0), 'timeout', '', 'timeout'],
    ['a limit, whatever it said', exit(null, 'SIGKILL'), 'processes', v8, 'processes'],
    ['a request', exit(null, 'SIGKILL'), 'killed', '', 'killed'],
  ])('of %s', (_, end, stoppedFor, tail, reason) => {
    expect(judgeEnd(end, stoppedFor, tail, request).reason).toBe(reason);
  });

  it('comes with words for all but an exit', () => {
    expect(judgeEnd(exit(0), null, '', request).message).toBeNull();
    expect(judgeEnd(exit(0), 'timeout', '', request).message).toBe('the time limit of 1.5 s was reached');
    const spawnError = { exitCode: null, signal: null, spawnError: 'E2BIG' };
    expect(judgeEnd(spawnError, null, '', request)).toMatchObject({ reason: 'spawn_error' });
  });
});
