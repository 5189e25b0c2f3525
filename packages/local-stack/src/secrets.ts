import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { type NatsUser, natsUsers } from '@swissbrain/shared-schema/nats-permissions';
import { z } from 'zod';
import { parseJson, readIfPresent, writePrivate } from './state.ts';

const secret = z.string().min(32);
const secretsSchema = z.object({
  jwt: secret,
  /** Between agent-runner and the sandboxes it starts. */
  sandbox: secret,
  /** Signs the links of artifacts. */
  storage: secret,
  /** Encrypts the tokens of connected accounts. */
  connectors: secret,
  /** Of the login role of each service. */
  database: z.record(z.enum(serviceNames), secret),
  /** Of each user of NATS; one that an older version did not know gets its own when it is missed. */
  nats: z.partialRecord(z.enum(natsUsers), secret).default({}).transform(completed),
});

/** What the services of one data directory share among them; made once, then kept. */
export type Secrets = z.infer<typeof secretsSchema>;

/**
 * The secrets kept in `secrets.json` of the data directory (mode 0600); the first call makes them.
 * @throws when the file exists and cannot be used: making new ones would lock the data away
 */
export async function loadSecrets(dataDir: string): Promise<Secrets> {
  const path = join(dataDir, 'secrets.json');
  const text = await readIfPresent(path);
  if (text === undefined) {
    const made = makeSecrets();
    await writePrivate(path, JSON.stringify(made, null, 2));
    return made;
  }
  const parsed = secretsSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new Error(`${path} is damaged or of another version:\n${z.prettifyError(parsed.error)}`);
  const complete = JSON.stringify(parsed.data, null, 2);
  if (complete !== text.trim()) await writePrivate(path, complete);
  return parsed.data;
}

function make(): string {
  return randomBytes(32).toString('hex');
}

function completed(passwords: Readonly<Partial<Record<NatsUser, string>>>): Record<NatsUser, string> {
  const all = natsUsers.map((user) => [user, passwords[user] ?? make()]);
  return Object.fromEntries(all) as Record<NatsUser, string>;
}

function makeSecrets(): Secrets {
  return secretsSchema.parse({
    jwt: make(),
    sandbox: make(),
    storage: make(),
    connectors: make(),
    database: Object.fromEntries(serviceNames.map((name) => [name, make()])),
  });
}
