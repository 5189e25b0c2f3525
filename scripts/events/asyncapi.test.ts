import { envelopeToHeaders } from '@swissbrain/service-kit/event-headers';
import type { Envelope } from '@swissbrain/shared-schema/events/envelope';
import { allEvents } from '@swissbrain/shared-schema/events/registry';
import { expect, test } from 'vitest';
import { asyncApiOf, headersSchema } from './asyncapi.ts';

const id = '3b241101-e2bb-4255-8caf-4136c566a962';

test('describes the headers that events carry, and requires those that are always there', () => {
  const envelope: Envelope = {
    ...{ id, type: 'run.started', version: 1, source: 'agent-runner', time: '2026-01-31T10:00:00Z' },
    ...{ aggregate_type: 'run', aggregate_id: id, aggregate_seq: 1n, user_id: id, root_id: id },
    ...{ run_seq: 1n, traceparent: '00-a-b-01' },
  };
  const full = envelopeToHeaders(envelope);
  const bare = envelopeToHeaders({ ...envelope, run_seq: null, traceparent: null });
  expect(Object.keys(headersSchema.properties).toSorted()).toEqual(full.keys().toSorted());
  expect(headersSchema.required.toSorted()).toEqual(bare.keys().toSorted());
});

test('has a channel of five words for each type and a message for each version', () => {
  const document = asyncApiOf(allEvents) as {
    channels: Record<string, { address: string; messages: Record<string, unknown> }>;
    components: { messages: Record<string, unknown> };
  };
  for (const { type, version } of allEvents) {
    expect(document.channels[type]?.address).toBe(`sb.${type}.{owner}.{root}`);
    expect(Object.keys(document.channels[type]?.messages ?? {})).toContain(`${type}.v${version}`);
  }
  expect(Object.keys(document.components.messages)).toHaveLength(allEvents.length);
});

test('refers only to what it holds', () => {
  const document = asyncApiOf(allEvents);
  const refs: string[] = [];
  JSON.stringify(document, (key, value: unknown) => {
    if (key === '$ref' && typeof value === 'string') refs.push(value);
    return value;
  });
  expect(refs.length).toBeGreaterThan(allEvents.length);
  for (const ref of new Set(refs)) {
    const found = ref
      .slice(2)
      .split('/')
      .reduce<unknown>((inside, part) => (inside as Record<string, unknown> | undefined)?.[part], document);
    expect(found, ref).toBeDefined();
  }
});
