import { appendFileSync } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

/** A picture of one pixel. */
const greyDot =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==';

const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });

/**
 * An MCP server with a tool for each thing that may happen. It notes the calls that it was asked to make in a file, which
 * its own end does not take along.
 */
export function createProbeServer({ notes }: { readonly notes: string }): McpServer {
  const server = new McpServer({ name: 'probe', version: '1.0.0' });
  const note = (line: string) => appendFileSync(notes, `${line}\n`);
  const read = { readOnlyHint: true };
  server.registerTool(
    'look.up',
    {
      title: 'Look up',
      description: 'Finds a word',
      inputSchema: z.strictObject({ word: z.string().max(20), limit: z.int().min(1).optional() }),
      outputSchema: z.object({ found: z.string() }),
      annotations: read,
    },
    async ({ word }, { mcpReq }) => {
      note(`look up ${word} ${mcpReq._meta?.['swissbrain/step_id']}`);
      return { ...said(`found ${word}`), structuredContent: { found: word } };
    },
  );
  server.registerTool(
    'remove',
    { inputSchema: z.object({ name: z.string() }), annotations: { destructiveHint: true } },
    async ({ name }) => {
      note(`remove ${name}`);
      return said(`removed ${name}`);
    },
  );
  server.registerTool('unsaid', { inputSchema: z.object({}) }, async () => said('done'));
  server.registerTool(
    'add',
    { inputSchema: z.object({ name: z.string() }), annotations: { destructiveHint: false } },
    async ({ name }) => {
      note(`add ${name}`);
      return said(`added ${name}`);
    },
  );
  server.registerTool('fail', { annotations: read }, async () => ({
    ...said('no such word'),
    isError: true,
  }));
  server.registerTool(
    'die',
    { inputSchema: z.object({ once: z.boolean() }), annotations: read },
    async () => {
      note('die');
      process.exit(3);
    },
  );
  server.registerTool('die_writing', { annotations: { destructiveHint: false } }, async () => {
    note('die_writing');
    process.exit(3);
  });
  server.registerTool('hang', { annotations: read }, () => new Promise<never>(() => undefined));
  server.registerTool('secret', { annotations: read }, async () =>
    said(`the token is ${process.env.TOKEN}, the rest is ${process.env.AUTH_JWT_SECRET ?? 'not here'}`),
  );
  server.registerTool('much', { annotations: read }, async () => said('much '.repeat(200_000)));
  server.registerTool('picture', { annotations: read }, async () => ({
    content: [{ type: 'image' as const, data: Buffer.alloc(30).toString('base64'), mimeType: 'image/png' }],
  }));
  server.registerTool('pictures', { annotations: { destructiveHint: false } }, async () => {
    note('pictures');
    const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(60, 1)]).toString(
      'base64',
    );
    return {
      content: [
        { type: 'text' as const, text: 'Two pictures and one that is none:' },
        // Servers do not always say the truth.
        { type: 'image' as const, data: greyDot, mimeType: 'image/jpeg' },
        {
          type: 'resource' as const,
          resource: { uri: 'probe://second', mimeType: 'image/jpeg', blob: jpeg },
        },
        {
          type: 'image' as const,
          data: Buffer.from('<svg onload="alert(1)"/>').toString('base64'),
          mimeType: 'image/svg+xml',
        },
      ],
    };
  });
  server.registerTool('grow', { annotations: read }, async () => {
    server.registerTool('grown', { annotations: read }, async () => said('I am new'));
    return said('grown');
  });
  return server;
}
