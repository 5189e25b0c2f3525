import {
  databasePasswordVariable,
  identifierOf,
  type ServiceName,
  serviceNames,
} from '@swissbrain/shared-schema/ids';
import type { Client } from 'pg';

/**
 * Gives the login roles their passwords, those of which the environment has one; the roles come from the migrations
 * and belong to the whole server.
 * @param client connected as a role that may alter them
 * @returns the services whose role has a new password
 */
export async function setLoginPasswords(
  client: Client,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ServiceName[]> {
  const given = serviceNames.flatMap((service) => {
    const password = environment[databasePasswordVariable(service)];
    return password === undefined || password === '' ? [] : [{ service, password }];
  });
  for (const { service, password } of given) {
    const role = client.escapeIdentifier(`sb_${identifierOf(service)}_login`);
    await client.query(`ALTER ROLE ${role} WITH LOGIN PASSWORD ${client.escapeLiteral(password)}`);
  }
  return given.map(({ service }) => service);
}
