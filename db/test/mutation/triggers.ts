import type { Session } from '../acting.ts';
import type { Mutant } from './mutant.ts';

/** Every trigger gone, deaf to one of its events, or without its condition. */
export async function triggerMutants(session: Session): Promise<Mutant[]> {
  const triggers = await session.query<{ name: string; table: string; definition: string }>(`
    SELECT t.tgname::text AS name, tn.nspname || '.' || c.relname AS table, pg_get_triggerdef(t.oid) AS definition
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace tn ON tn.oid = c.relnamespace
    JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE NOT t.tgisinternal AND NOT c.relispartition AND n.nspname IN ('public', 'sb')
    ORDER BY 2, 1`);
  return triggers.flatMap(({ name, table, definition }) => {
    const drop = `DROP TRIGGER ${name} ON ${table}`;
    const mutant = (how: string, ...sql: string[]): Mutant => ({
      kind: 'triggers',
      object: table,
      tested: name,
      name: `${table}: ${name} ${how}`,
      sql: sql.join('; '),
    });
    const events = /(?:BEFORE|AFTER) (.*?) ON /.exec(definition)?.[1]?.split(' OR ') ?? [];
    const deaf = events.length === 1 ? [] : events;
    const condition = / WHEN \((.*)\) EXECUTE/.exec(definition)?.[0];
    return [
      mutant('dropped', drop),
      ...deaf.map((event) => {
        const left = events.filter((other) => other !== event).join(' OR ');
        return mutant(`without ${event}`, drop, definition.replace(events.join(' OR '), left));
      }),
      // When the function asks the same as the condition, the condition is only there for speed.
      ...(condition === undefined
        ? []
        : [mutant('without its condition', drop, definition.replace(condition, ' EXECUTE'))]),
    ];
  });
}
