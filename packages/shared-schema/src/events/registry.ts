import { agentRunnerEvents } from './agent-runner.ts';
import { collabEvents } from './collab.ts';
import { connectorsEvents } from './connectors.ts';
import { creditsEvents } from './credits.ts';
import type { EventDefinition } from './envelope.ts';
import { schedulerEvents } from './scheduler.ts';
import { wideResearchEvents } from './wide-research.ts';

/** Every event the six services publish, in the order of its service's list. */
export const allEvents: readonly EventDefinition[] = [
  ...agentRunnerEvents,
  ...creditsEvents,
  ...connectorsEvents,
  ...wideResearchEvents,
  ...schedulerEvents,
  ...collabEvents,
];

/** `<type>@<version>`: the name under which a definition is found. */
export function eventKey(type: string, version: number): string {
  return `${type}@${version}`;
}

/** All definitions by `type@version`, to read any event off the stream. */
export const eventRegistry: ReadonlyMap<string, EventDefinition> = new Map(
  allEvents.map((definition) => [eventKey(definition.type, definition.version), definition]),
);

/** The first word of every event's type: each has its subjects `sb.<entity>.>` in the stream. */
export const eventEntities: readonly string[] = [
  ...new Set(allEvents.map((definition) => definition.type.slice(0, definition.type.indexOf('.')))),
];
