import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { createProbeServer } from './mcp-server.ts';

// The probe as a program. PROTOCOL=old: it speaks as servers did before they could be asked for their version.
const server = () => createProbeServer({ notes: process.env.NOTES ?? '/dev/null' });
if (process.env.PROTOCOL === 'old') await server().connect(new StdioServerTransport());
else serveStdio(server);
process.stderr.write(`started with ${process.env.TOKEN}\n`);
