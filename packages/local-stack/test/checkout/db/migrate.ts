// Stands for the migrations: creates the login roles with their passwords.
import pg from 'pg';

const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
await client.connect();
for (const name of ['agent_runner', 'credits', 'connectors', 'wide_research', 'scheduler', 'collab']) {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [`sb_${name}_login`]);
  if (rowCount === 0) await client.query(`CREATE ROLE sb_${name}_login LOGIN NOINHERIT`);
  const password = process.env[`DATABASE_PASSWORD_${name.toUpperCase()}`];
  if (password !== undefined) {
    await client.query(`ALTER ROLE sb_${name}_login PASSWORD ${client.escapeLiteral(password)}`);
  }
}
await client.end();
