import { agentRunnerEvents } from '@swissbrain/shared-schema/events/agent-runner';
import type { TestDatabase } from '@swissbrain/testkit/database';

export interface StoredEvent {
  readonly type: string;
  readonly run_seq: bigint;
  readonly data: Record<string, unknown>;
}

/**
 * The events of a run in order, each checked against its published schema, numbered without gaps.
 * @throws ZodError when an event is not what it is published as
 */
export async function eventsOf(database: TestDatabase, runId: string): Promise<StoredEvent[]> {
  const events = await database.query<StoredEvent>(
    'select type, run_seq, data from event_outbox where run_id = $1 order by run_seq',
    [runId],
  );
  for (const [place, event] of events.entries()) {
    if (event.run_seq !== BigInt(place + 1))
      throw new Error(`event ${event.type} has number ${event.run_seq}, not ${place + 1}`);
    const definition = agentRunnerEvents.find((candidate) => candidate.type === event.type);
    if (!definition) throw new Error(`${event.type} is not published by agent-runner`);
    definition.data.parse(event.data);
  }
  return events;
}

/** Their types alone. */
export async function storyOf(database: TestDatabase, runId: string): Promise<string[]> {
  return (await eventsOf(database, runId)).map((event) => event.type);
}
