import pg from 'pg';

/** One connection, for statements in turn. Values come back as Postgres sends them, except json. */
export interface Session {
  query<R extends object>(sql: string, values?: readonly unknown[]): Promise<R[]>;
  end(): Promise<void>;
}

/** Opens a connection as the superuser of the database. */
export async function openSession(url: string): Promise<Session> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    query: async <R extends object>(sql: string, values: readonly unknown[] = []) =>
      (await client.query<R>(sql, [...values])).rows,
    end: () => client.end(),
  };
}

/** Runs `work` in one transaction as a role, with the claims of a user when one is given, the way services do. */
export async function acting<T>(
  session: Session,
  role: string,
  userId: string | null,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  await session.query('BEGIN');
  try {
    await session.query(`SET LOCAL ROLE ${role}`);
    if (userId !== null) {
      await session.query(`SELECT set_config('request.jwt.claims', $1, true)`, [
        JSON.stringify({ sub: userId }),
      ]);
    }
    const result = await work(session);
    await session.query('COMMIT');
    return result;
  } catch (error) {
    await session.query('ROLLBACK');
    throw error;
  }
}

/** Matches an error of Postgres by its SQLSTATE: `rejects.toMatchObject(sqlState('42501'))`. */
export function sqlState(code: string): { code: string } {
  return { code };
}
export const refused = sqlState('42501');
export const foreignKeyViolation = sqlState('23503');
