import { durableName, eventConsumers, outboxCheckName } from './events/consumers.ts';
import { allEvents } from './events/registry.ts';
import { identifierOf, type ServiceName, serviceNames } from './ids.ts';
import { rpcSubject } from './rpc/definition.ts';
import { rpcCalls } from './rpc/registry.ts';

/**
 * The users of a NATS server that is ours: one per service, `operator` for people who look (tap, doctor, dead
 * letters) and `admin` for setting up the streams.
 */
export const natsUsers = [...serviceNames, 'operator', 'admin'] as const;
export type NatsUser = (typeof natsUsers)[number];

interface Subjects {
  readonly allow: readonly string[];
  readonly deny?: readonly string[];
}

/** What a user may send and hear; anything that is not named is refused. */
export interface NatsPermissions {
  readonly publish: Subjects;
  readonly subscribe: Subjects;
}

/** Where the answers to a user's questions arrive; nobody else may listen there. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user.replaceAll('-', '_')}`;
}

/**
 * The part of a nats-server configuration (JSON is a subset of its syntax) that makes the users and gives each what
 * the tables of events, consumers and rpc say.
 * @see https://docs.nats.io/running-a-nats-service/configuration/securing_nats/authorization
 */
export function natsAuthorization(passwords: Readonly<Record<NatsUser, string>>) {
  return {
    authorization: {
      users: natsUsers.map((user) => ({
        user,
        password: passwords[user],
        permissions: natsPermissions(user),
      })),
    },
  };
}

/** The rights of a user. */
export function natsPermissions(user: NatsUser): NatsPermissions {
  if (user === 'admin') return { publish: { allow: ['>'] }, subscribe: { allow: ['>'] } };
  if (user === 'operator') return operatorPermissions();
  return servicePermissions(user);
}

function servicePermissions(service: ServiceName): NatsPermissions {
  const name = identifierOf(service);
  const durables = durablesOf(service);
  const callers = serviceNames.filter((caller) => rpcCalls[caller].some((call) => call.service === service));
  return {
    publish: {
      allow: [
        ...ownSubjects(service),
        ...durables.map(({ durable }) => `dlq.${name}.${durable}`),
        ...rpcCalls[service].map(rpcSubject),
        ...callers.map((caller) => `${inboxPrefix(caller)}.>`),
        ...(service === 'agent-runner' ? runSubjects : []),
        '$JS.API.STREAM.INFO.EVENTS',
        '$JS.API.STREAM.INFO.DLQ',
        ...durables.flatMap(({ durable, filter }) => consumerRights(durable, filter)),
        ...outboxCheckRights(service),
        ...deadLetterRights(name),
      ],
    },
    subscribe: {
      allow: [
        `${inboxPrefix(service)}.>`,
        `rpc.${name}.*`,
        // Whoever follows a run hears of it through agent-runner.
        ...(service === 'agent-runner' ? [...runSubjects, ...followedSubjects] : []),
      ],
    },
  };
}

/** Between processes of agent-runner: word of a run that changed, and what a model says while it says it. */
const runSubjects = ['nudge.agent_runner.run', 'delta.*'];

/** The events that have a place in the story of a run: what agent-runner shows live to those who follow one. */
export const followedSubjects: readonly string[] = ['run', 'step', 'artifact'].map(
  (entity) => `sb.${entity}.*.*.*`,
);

function ownSubjects(service: ServiceName): string[] {
  const types = allEvents.filter(({ source }) => source === service).map(({ type }) => type);
  return [...new Set(types)].map((type) => `sb.${type}.*.*`);
}

function durablesOf(service: ServiceName): { readonly durable: string; readonly filter: string }[] {
  return Object.entries(eventConsumers[service]).map(([durable, event]) => ({
    durable: durableName(service, durable),
    filter: `sb.${event.type}.>`,
  }));
}

/** The server compares the subject of a request to create with what the request holds: name and filter are fixed. */
function consumerRights(durable: string, filter: string): string[] {
  return [
    `$JS.API.CONSUMER.CREATE.EVENTS.${durable}.${filter}`,
    `$JS.API.CONSUMER.INFO.EVENTS.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${durable}`,
    `$JS.ACK.EVENTS.${durable}.>`,
  ];
}

/** A relay may read back its own events, and only those. */
function outboxCheckRights(service: ServiceName): string[] {
  const name = outboxCheckName(service);
  return [
    ...ownSubjects(service).map((subject) => `$JS.API.CONSUMER.CREATE.EVENTS.${name}.${subject}`),
    `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${name}`,
    `$JS.API.CONSUMER.DELETE.EVENTS.${name}`,
  ];
}

/**
 * A service reads its own dead letters through readers that live for one question, under names that nobody can
 * guess; the filter is fixed by the subject. Removing a letter goes by its number alone, which the server cannot
 * confine: there only the service's code looks whose letter it is.
 */
function deadLetterRights(name: string): string[] {
  return [
    `$JS.API.CONSUMER.CREATE.DLQ.*.dlq.${name}.>`,
    '$JS.API.CONSUMER.INFO.DLQ.*',
    '$JS.API.CONSUMER.MSG.NEXT.DLQ.*',
    '$JS.API.CONSUMER.DELETE.DLQ.*',
    '$JS.API.STREAM.MSG.DELETE.DLQ',
  ];
}

/** Reads everything and clears dead letters; publishes no event and touches no service's consumer. */
function operatorPermissions(): NatsPermissions {
  const durables = serviceNames.flatMap((service) => [
    ...durablesOf(service).map(({ durable }) => durable),
    outboxCheckName(service),
  ]);
  return {
    publish: {
      allow: [
        '$JS.API.INFO',
        '$JS.API.STREAM.NAMES',
        '$JS.API.STREAM.LIST',
        ...['EVENTS', 'DLQ'].flatMap((stream) => [
          `$JS.API.STREAM.INFO.${stream}`,
          `$JS.API.STREAM.MSG.GET.${stream}`,
          `$JS.API.CONSUMER.*.${stream}`,
          `$JS.API.CONSUMER.*.${stream}.>`,
          `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
          `$JS.ACK.${stream}.>`,
        ]),
        '$JS.API.STREAM.MSG.DELETE.DLQ',
        '$JS.FC.>',
      ],
      deny: durables.flatMap((durable) => [
        `$JS.API.CONSUMER.CREATE.EVENTS.${durable}`,
        `$JS.API.CONSUMER.CREATE.EVENTS.${durable}.>`,
        `$JS.API.CONSUMER.DELETE.EVENTS.${durable}`,
        `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${durable}`,
        `$JS.ACK.EVENTS.${durable}.>`,
      ]),
    },
    subscribe: { allow: [`${inboxPrefix('operator')}.>`, 'sb.>', 'dlq.>', '$JS.EVENT.ADVISORY.>'] },
  };
}
