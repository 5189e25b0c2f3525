import type { Client } from 'pg';

/** A statement that each connection prepares the first time and then sends by name. */
export const statement = (name: string, text: string) => (client: Client, values: unknown[]) =>
  client.query({ name, text, values });
