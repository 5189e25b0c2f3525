// Stands for the migrations: creates the login roles.
import pg from 'pg';

const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
await client.connect();
for (const name of ['agent_runner', 'credits', 'connectors', 'wide_research', 'scheduler', 'collab']) {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [`sb_${name}_login`]);
  if (rowCount === 0) await client.query(`CREATE ROLE sb_${name}_login LOGIN NOINHERIT`);
}
await client.end();
