// What every service of this small checkout is: it is ready when its own login role reaches the database, and
// tells what it sees of its environment.
import { createServer } from 'node:http';
import pg from 'pg';

if (process.env['FAIL_AT_START'] !== undefined) throw new Error(process.env['FAIL_AT_START']);

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
pool.on('error', (error) => console.error(error.message));

const server = createServer(async (request, response) => {
  if (request.url === '/environment') {
    response.end(JSON.stringify(process.env));
    return;
  }
  try {
    const { rows } = await pool.query('SELECT session_user AS role');
    response.end(JSON.stringify(rows[0]));
  } catch (error) {
    response.statusCode = 503;
    response.end(String(error));
  }
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
console.log('listening');

process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  void pool.end();
});
