import { jsonText } from '@swissbrain/service-kit/config-json';
import { z } from 'zod';

/** Where secrets of MCP servers come from: no other variable of the service can be named in `MCP_CONFIG`. */
export const secretPrefix = 'MCP_SECRET_';
const reference = /\$\{(MCP_SECRET_[A-Z0-9_]+)\}/g;

const toolPattern = z.string().regex(/^[^*\s]{0,128}\*?$/, 'a name, or the beginning of names and then *');
const effect = z.enum(['read', 'write', 'destructive']);

const entry = z
  .strictObject({
    /** Streamable HTTP. */
    url: z.url({ protocol: /^https?$/ }).optional(),
    headers: z.record(z.string().regex(/^[A-Za-z0-9-]{1,100}$/), z.string().max(8_000)).default({}),
    /** A program of this machine that speaks on its standard streams, with these variables and PATH and HOME alone. */
    command: z.string().min(1).optional(),
    args: z.array(z.string()).max(100).default([]),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/), z.string().max(8_000)).default({}),
    cwd: z.string().min(1).optional(),
    /** Which of its tools are taken. */
    tools: z.array(toolPattern).min(1).max(200).default(['*']),
    /** What its tools may change, by name, where its own word is not to be taken. The first that fits counts. */
    effects: z.record(toolPattern, effect).default({}),
    /** Whether a call costs what a call of a connector costs. */
    charged: z.boolean().default(true),
    timeout_seconds: z.number().int().min(1).max(3_600).default(60),
    connect_seconds: z.number().int().min(1).max(120).default(15),
  })
  .superRefine(({ url, command, headers, args, env, cwd }, context) => {
    const complain = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if ((url === undefined) === (command === undefined)) {
      complain('url', 'give either "url" or "command"');
    } else if (url !== undefined) {
      if (args.length > 0 || cwd !== undefined || Object.keys(env).length > 0)
        complain('url', '"args", "env" and "cwd" belong to "command"');
    } else if (Object.keys(headers).length > 0) complain('headers', 'belong to "url"');
  });
export type McpServerConfig = z.infer<typeof entry>;

/** The MCP servers of an installation by name. */
export const mcpConfig = z.strictObject({
  servers: z.record(
    z.string().regex(/^[a-z](?!.*__)[a-z0-9_]{0,23}$/, 'a short name in lower case without two _ in a row'),
    entry,
  ),
});
export type McpConfig = z.infer<typeof mcpConfig>;

/** Reads the servers from JSON text; every problem has its place, none a value. */
export const mcpConfigText = jsonText(mcpConfig);

/** Secrets by the name of their variable. */
export type McpSecrets = Readonly<Record<string, string>>;

/** Puts secrets in the place of `${MCP_SECRET_…}`. */
export function withSecrets(
  values: Readonly<Record<string, string>>,
  secrets: McpSecrets,
): Record<string, string> {
  const fill = (text: string) => text.replaceAll(reference, (_, name: string) => secrets[name] ?? '');
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fill(value)]));
}

/** The variables that a server's headers and environment name, with their place. */
export function namedSecrets(
  config: McpConfig,
): readonly { readonly path: readonly string[]; readonly name: string }[] {
  return Object.entries(config.servers).flatMap(([server, { headers, env }]) =>
    Object.entries({ headers, env }).flatMap(([part, values]) =>
      Object.entries(values).flatMap(([key, value]) =>
        [...value.matchAll(reference)].map(([, name = '']) => ({
          path: ['servers', server, part, key],
          name,
        })),
      ),
    ),
  );
}

/** Takes secrets out of a text that goes to a log, a user or a model. */
export function redact(text: string, secrets: McpSecrets): string {
  let clean = text;
  for (const secret of Object.values(secrets)) {
    // A short one would take words out of every text; whoever has such a secret has none.
    if (secret.length < 8) continue;
    const quoted = JSON.stringify(secret).slice(1, -1);
    clean = clean.replaceAll(secret, '[secret]').replaceAll(quoted, '[secret]');
  }
  return clean;
}
