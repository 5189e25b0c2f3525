import { identifierOf, serviceNames } from '@swissbrain/shared-schema/ids';
import { alice, bob, carol } from '../constraints/table.ts';
import { inSecondWorld } from '../world.ts';

export const tenant = '5b000000-0000-4000-8000-000000000077';

/** Who makes a statement: a role and the claims of its transaction. */
export interface Actor {
  readonly role: string;
  readonly claims: { readonly sub: string; readonly tenant_id?: string } | null;
}

export const serviceRoles = serviceNames.map((name) => `sb_${identifierOf(name)}`);
const owner = { sub: alice, tenant_id: tenant };
export const claimsOf = {
  owner,
  another: { sub: inSecondWorld(alice) },
  tenant: { sub: inSecondWorld(carol), tenant_id: tenant },
  participant: { sub: bob },
  removed: { sub: carol },
  nobody: null,
} as const;
type Person = keyof typeof claimsOf;
const isPerson = (name: string): name is Person => name in claimsOf;

/**
 * Who is behind a column of the matrix in the section of a service.
 * @throws Error for a column that is none
 */
export function actorsIn(column: string, service: string): readonly Actor[] {
  const neighbours = serviceRoles.filter((role) => role !== service);
  if (column === 'service') return [{ role: service, claims: null }];
  if (column === 'neighbour') return neighbours.map((role) => ({ role, claims: owner }));
  if (column === "neighbour's user")
    return neighbours.map((role) => ({ role: `${role}_user`, claims: owner }));
  const person = column.replace(/^API /, '');
  if (!isPerson(person)) throw new Error(`nobody is called ${column}`);
  return [{ role: column === person ? `${service}_user` : 'authenticated', claims: claimsOf[person] }];
}

/** Everybody who can reach the database and has no column among `columns`. */
export function everybodyElse(columns: readonly string[], service: string): readonly Actor[] {
  const unnamed = ['neighbour', "neighbour's user"].filter((column) => !columns.includes(column));
  const roles = ['anon', 'service_role', ...serviceRoles.map((role) => `${role}_login`)];
  return [
    ...unnamed.flatMap((column) => actorsIn(column, service)),
    ...roles.map((role) => ({ role, claims: owner })),
    ...roles.map((role) => ({ role, claims: null })),
  ];
}
