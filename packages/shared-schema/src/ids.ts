import { z } from 'zod';

/** A UUID in lower case, the form Postgres prints. */
export const uuid = z.uuid().transform((value) => value.toLowerCase());

export type UserId = string;
export type TenantId = string;
export type RunId = string;
export type StepId = string;
export type ArtifactId = string;
export type ReservationId = string;

/** The six services; also the `source` of their events and rows. */
export const serviceNames = [
  'agent-runner',
  'credits',
  'connectors',
  'wide-research',
  'scheduler',
  'collab',
] as const;
export type ServiceName = (typeof serviceNames)[number];

/** The name of a service where only letters and underscores are allowed: database roles, rpc subjects. */
export function identifierOf(service: ServiceName): string {
  return service.replaceAll('-', '_');
}

/** The variable with the password of a service's login role, for example DATABASE_PASSWORD_WIDE_RESEARCH. */
export function databasePasswordVariable(service: ServiceName): string {
  return `DATABASE_PASSWORD_${identifierOf(service).toUpperCase()}`;
}
