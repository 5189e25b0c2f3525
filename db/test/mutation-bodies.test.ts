import { describe, expect, it } from 'vitest';
import { defectsIn } from './mutation/bodies.ts';

/** The body with each defect, white space as it falls. */
const made = (body: string): string[] =>
  defectsIn(body).map(({ text }) => text.replaceAll(/\s+/g, ' ').trim());

describe('the defects of a body', () => {
  it('are in its conditions: each part gone, the whole the other way round, the bound off by one', () => {
    expect(made('BEGIN IF a < 1 AND b THEN RETURN; END IF; RETURN NULL; END')).toEqual([
      'BEGIN IF NOT (a < 1 AND b) THEN RETURN; END IF; RETURN NULL; END',
      'BEGIN IF b THEN RETURN; END IF; RETURN NULL; END',
      'BEGIN IF a <= 1 AND b THEN RETURN; END IF; RETURN NULL; END',
      'BEGIN IF a < 1 THEN RETURN; END IF; RETURN NULL; END',
      'BEGIN IF a < 1 AND b THEN NULL; END IF; RETURN NULL; END',
    ]);
    expect(made('SELECT 1 WHERE (a OR b) AND c BETWEEN 1 AND 2')).toEqual([
      'SELECT 1 WHERE c BETWEEN 1 AND 2',
      'SELECT 1 WHERE ( b) AND c BETWEEN 1 AND 2',
      'SELECT 1 WHERE (a ) AND c BETWEEN 1 AND 2',
      'SELECT 1 WHERE (a OR b)',
    ]);
    expect(made('SELECT 1 FROM t WHERE id = 1 LIMIT 1')).toEqual(['SELECT 1 FROM t LIMIT 1']);
  });

  it('are in its statements and locks', () => {
    expect(made('BEGIN PERFORM f(1); v := 2; RETURN NEW; END')).toEqual([
      'BEGIN NULL; v := 2; RETURN NEW; END',
      'BEGIN PERFORM f(1); NULL; RETURN NEW; END',
    ]);
    expect(made('SELECT 1 FROM t FOR UPDATE OF t SKIP LOCKED')).toEqual([
      'SELECT 1 FROM t',
      'SELECT 1 FROM t FOR UPDATE OF t',
    ]);
  });

  it('are in what an UPDATE sets, but for its own time', () => {
    expect(made('UPDATE t SET a = f(1, 2), b = 3, updated_at = now() WHERE id = 1')).toEqual([
      'UPDATE t SET b = 3, updated_at = now() WHERE id = 1',
      'UPDATE t SET a = f(1, 2), updated_at = now() WHERE id = 1',
      'UPDATE t SET a = f(1, 2), b = 3, updated_at = now()',
    ]);
  });

  it('are in its sums and choices', () => {
    expect(made('SELECT greatest(a + 1, -1)')).toEqual([
      'SELECT least(a + 1, -1)',
      'SELECT greatest(a - 1, -1)',
    ]);
    expect(made('SELECT CASE WHEN a AND b THEN 1 ELSE 2 END')).toEqual([
      'SELECT CASE WHEN b THEN 1 ELSE 2 END',
      'SELECT CASE WHEN a THEN 1 ELSE 2 END',
    ]);
  });

  it('are neither in comments nor in texts, and each has a name of its own', () => {
    expect(made("SELECT 'a < b AND c' -- where x < y\n/* a + b */")).toEqual([]);
    const names = defectsIn('SELECT a + b + c').map(({ name }) => name);
    expect(names).toEqual([
      '- in the place of `+` in `SELECT a + b + c`',
      '- in the place of `+` in `SELECT a + b + c` (2)',
    ]);
  });
});
