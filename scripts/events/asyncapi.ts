import { type EventDefinition, maxEventBytes, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { type JsonSchema, schemaOf, versionName } from './json-schema.ts';

const uuid = { type: 'string', format: 'uuid' };
const integerText = { type: 'string', pattern: '^\\d+$' };

/** The envelope: CloudEvents 1.0 in binary mode, as every message carries it. */
export const headersSchema = {
  type: 'object',
  properties: {
    'ce-specversion': { type: 'string', const: '1.0' },
    'ce-id': { ...uuid, description: 'The same on every delivery of this event; also its Nats-Msg-Id.' },
    'ce-type': { type: 'string', description: 'Entity and event: run.started.' },
    'ce-source': { type: 'string', enum: [...serviceNames] },
    'ce-time': { type: 'string', format: 'date-time' },
    'ce-subject': { ...uuid, description: 'The root, last word of the subject.' },
    'ce-dataversion': {
      ...integerText,
      description: 'Version of the body. Unknown ones must not be guessed at.',
    },
    'ce-aggregatetype': { type: 'string', description: 'Whose row gives the event its place in order.' },
    'ce-aggregateid': uuid,
    'ce-aggregateseq': {
      ...integerText,
      description: 'The place of the event among those of its aggregate.',
    },
    'ce-userid': { ...uuid, description: 'The owner, fourth word of the subject.' },
    'ce-rootid': uuid,
    'ce-runseq': { ...integerText, description: 'The place of the event in its run; absent outside runs.' },
    traceparent: { type: 'string', description: 'W3C trace context of what caused the event.' },
    'content-type': { type: 'string', const: 'application/json' },
  },
  required: [
    ...['ce-specversion', 'ce-id', 'ce-type', 'ce-source', 'ce-time', 'ce-subject', 'ce-dataversion'],
    ...['ce-aggregatetype', 'ce-aggregateid', 'ce-aggregateseq', 'ce-userid', 'ce-rootid', 'content-type'],
  ],
};

/** The AsyncAPI 3 document of these events (https://www.asyncapi.com/docs/reference/specification/v3.0.0). */
export function asyncApiOf(definitions: readonly EventDefinition[]): Record<string, unknown> {
  const types = [...new Set(definitions.map(({ type }) => type))];
  const versionsOf = (type: string) => definitions.filter((definition) => definition.type === type);
  return {
    asyncapi: '3.0.0',
    id: 'urn:swissbrain:events',
    info: {
      title: 'SwissBrain events',
      version: '1',
      description:
        'Every fact of the six services, on NATS JetStream (stream EVENTS). Delivery is at least once and in ' +
        `order per aggregate; drop what has a known ce-id. Bodies have at most ${maxEventBytes} bytes. A ` +
        'published version only ever gains optional properties; ignore those you do not know.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      nats: {
        host: '{host}',
        protocol: 'nats',
        variables: { host: { default: '127.0.0.1:4222', description: 'Where the NATS server listens.' } },
      },
    },
    channels: Object.fromEntries(types.map((type) => [type, channelOf(type, versionsOf(type))])),
    operations: Object.fromEntries(
      types.map((type) => [`publish.${type}`, operationOf(type, versionsOf(type))]),
    ),
    components: {
      messages: Object.fromEntries(
        definitions.map((definition) => [versionName(definition), messageOf(definition)]),
      ),
      schemas: {
        CloudEventsHeaders: headersSchema,
        ...Object.fromEntries(
          definitions.map((definition) => [versionName(definition), payloadOf(definition)]),
        ),
      },
    },
  };
}

function channelOf(type: string, versions: readonly EventDefinition[]): Record<string, unknown> {
  return {
    address: subjectOf(type, '{owner}', '{root}'),
    title: type,
    messages: Object.fromEntries(
      versions.map((definition) => [
        versionName(definition),
        { $ref: `#/components/messages/${versionName(definition)}` },
      ]),
    ),
    parameters: {
      owner: { description: 'The user whose event it is.' },
      root: { description: 'The run for events of runs, steps, artifacts and their credits, else the user.' },
    },
  };
}

function operationOf(type: string, versions: readonly EventDefinition[]): Record<string, unknown> {
  return {
    action: 'send',
    channel: { $ref: `#/channels/${type}` },
    tags: [...new Set(versions.map(({ source }) => source))].map((name) => ({ name })),
    messages: versions.map((definition) => ({
      $ref: `#/channels/${type}/messages/${versionName(definition)}`,
    })),
  };
}

function messageOf(definition: EventDefinition): Record<string, unknown> {
  const name = versionName(definition);
  return {
    name,
    title: `${definition.type} version ${definition.version}`,
    summary: `Published by ${definition.source}, in order per ${definition.aggregate}.`,
    contentType: 'application/json',
    headers: { $ref: '#/components/schemas/CloudEventsHeaders' },
    payload: { $ref: `#/components/schemas/${name}` },
    tags: [{ name: definition.source }],
  };
}

/** The body's schema, with the references inside it made to start at the document's root. */
function payloadOf(definition: EventDefinition): JsonSchema {
  const root = `#/components/schemas/${versionName(definition)}/`;
  const { $schema: _schema, $id: _id, ...schema } = schemaOf(definition, 'draft-7');
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' ? value.replace(/^#\//, root) : value,
  );
}
