import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { serviceNames } from '../ids.ts';
import { envelopeSchema, subjectOf } from './envelope.ts';
import { allEvents, eventEntities, eventKey, eventRegistry } from './registry.ts';

const user = '9f3c1a52-6d0e-4d7e-9a39-0a1c7f1d2b11';
const root = '2b8a4a0e-5a5c-4a3f-8f0c-1f6f6f0f3c22';

/** What each of the four smaller services publishes; agent-runner and credits grow with their own features. */
const published = {
  connectors: [
    'connector.connected',
    'connector.reauth_required',
    'connector.recovered',
    'connector.disconnected',
    'connector.called',
    'webhook.received',
  ],
  'wide-research': [
    'research.started',
    'research.item_requested',
    'research.item_cancelled',
    'research.item_completed',
    'research.progressed',
    'research.completed',
    'research.failed',
    'research.cancelled',
  ],
  scheduler: [
    'schedule.fired',
    'schedule.skipped',
    'schedule.paused',
    'schedule.succeeded',
    'schedule.failed',
  ],
  collab: [
    'collab.session_created',
    'collab.session_saved',
    'collab.participant_joined',
    'collab.participant_left',
    'collab.role_changed',
  ],
} as const;

describe('the registry of events', () => {
  test('holds every definition once, under its type and version', () => {
    expect(eventRegistry.size).toBe(allEvents.length);
    for (const definition of allEvents) {
      expect(eventRegistry.get(eventKey(definition.type, definition.version))).toBe(definition);
    }
  });

  test('covers all six services, and no type belongs to two', () => {
    expect(new Set(allEvents.map((definition) => definition.source))).toEqual(new Set(serviceNames));
    for (const type of new Set(allEvents.map((definition) => definition.type))) {
      const sources = allEvents.filter((definition) => definition.type === type).map(({ source }) => source);
      expect(new Set(sources).size, `${type} comes from ${sources.join(' and ')}`).toBe(1);
    }
  });

  test.each(Object.entries(published))('lists what %s publishes', (source, types) => {
    const listed = allEvents.filter((definition) => definition.source === source).map(({ type }) => type);
    expect(listed.toSorted()).toEqual([...types].toSorted());
  });

  test.each(allEvents.map((definition) => [definition.type, definition] as const))(
    '%s has a subject of five words under a known entity and a describable shape',
    (type, definition) => {
      const words = subjectOf(type, user, root).split('.');
      expect(words).toEqual(['sb', ...type.split('.'), user, root]);
      expect(words).toHaveLength(5);
      expect(eventEntities).toContain(words[1]);
      expect(envelopeSchema.shape.type.safeParse(type).success).toBe(true);
      expect(definition.aggregate).toMatch(/^[a-z_]+$/);
      // Anyone who reads the stream gets this as JSON Schema.
      expect(z.toJSONSchema(definition.data, { io: 'input', unrepresentable: 'any' })).toMatchObject({
        type: 'object',
      });
    },
  );
});
