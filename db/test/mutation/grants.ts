import type { Catalog, Grant } from '../../catalog.ts';
import type { Mutant } from './mutant.ts';

/** Every grant taken away, and everything of every table and function granted to each of those who have no business there. */
export function grantMutants({ grants, tables, functions }: Catalog): Mutant[] {
  const ours = grants.filter(({ object }) => /^(TABLE|FUNCTION) /.test(object));
  const granted = (object: string, privilege: string, grantee: string): boolean =>
    ours.some(
      (grant) =>
        grant.object === object &&
        grant.privilege === privilege &&
        grant.grantee === grantee &&
        grant.columns === null,
    );
  const strangers = [
    'anon',
    'authenticated',
    'sb_agent_runner_user',
    'sb_credits_user',
    'sb_collab_user',
    'sb_credits',
    'sb_collab',
  ];
  return [
    ...ours.map(revoked),
    ...tables.flatMap(({ schema, name }) =>
      strangers.flatMap((role) =>
        ['SELECT', 'INSERT', 'UPDATE', 'DELETE']
          .filter((privilege) => !granted(`TABLE ${schema}.${name}`, privilege, role))
          .map((privilege) => added(`TABLE ${schema}.${name}`, privilege, role)),
      ),
    ),
    ...functions
      .filter(({ name }) => !granted(`FUNCTION ${name}`, 'EXECUTE', 'PUBLIC'))
      .map(({ name }) => added(`FUNCTION ${name}`, 'EXECUTE', 'PUBLIC')),
  ];
}

function revoked({ object, privilege, columns, grantee }: Grant): Mutant {
  const what = columns === null ? privilege : `${privilege} (${columns.join(', ')})`;
  return mutant(
    object,
    `${object}: no ${privilege}${columns === null ? '' : ' of columns'} for ${grantee}`,
    `REVOKE ${what} ON ${object} FROM ${grantee}`,
  );
}

function added(object: string, privilege: string, grantee: string): Mutant {
  return mutant(
    object,
    `${object}: ${privilege} for ${grantee}`,
    `GRANT ${privilege} ON ${object} TO ${grantee}`,
  );
}

function mutant(object: string, name: string, sql: string): Mutant {
  return { kind: 'grants', object: object.replace(/^\w+ /, ''), name, sql };
}
