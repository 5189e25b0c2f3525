import type { EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import { z } from 'zod';

/** A JSON Schema, or a part of one. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** The dialect of the generated files, and the one that AsyncAPI readers understand. */
export type Dialect = 'draft-2020-12' | 'draft-7';

/** `run.started.v1`: names a version of an event where `@` would have to be escaped. */
export function versionName({ type, version }: Pick<EventDefinition, 'type' | 'version'>): string {
  return `${type}.v${version}`;
}

/**
 * What the body of an event looks like on the wire. Transformations only normalise (ids to lower case), so
 * what is accepted describes what is sent; unknown properties are allowed, because later ones are ignored.
 */
export function schemaOf(definition: EventDefinition, target: Dialect = 'draft-2020-12'): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(definition.data, { io: 'input', target });
  return {
    ...($schema === undefined ? {} : { $schema }),
    $id: `urn:swissbrain:event:${definition.type}:${definition.version}`,
    title: `${definition.type} version ${definition.version}`,
    ...schema,
    'x-source': definition.source,
    'x-aggregate': definition.aggregate,
  };
}
