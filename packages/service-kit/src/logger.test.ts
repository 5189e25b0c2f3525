import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';

describe('logger', () => {
  it('writes JSON with the service and hides secrets', () => {
    const lines: string[] = [];
    const log = createLogger(
      { service: 'credits', level: 'info' },
      { write: (line: string) => void lines.push(line) },
    );
    log.info(
      { password: 'p', user: { token: 't', name: 'n' }, headers: { authorization: 'Bearer x' } },
      'hello',
    );
    log.debug('not at this level');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'info',
      service: 'credits',
      msg: 'hello',
      password: '[redacted]',
      user: { token: '[redacted]', name: 'n' },
      headers: { authorization: '[redacted]' },
    });
  });
});
