import { eventConsumers } from '@swissbrain/shared-schema/events/consumers';
import { expect, it } from 'vitest';
import { creditsConsumers } from './credits.ts';

it('are those that the permissions on NATS are made for', () => {
  const wakes = { dispatcher: () => undefined, worker: () => undefined };
  const declared = creditsConsumers(wakes).map(({ durable, event }) => [durable, event]);
  expect(Object.fromEntries(declared)).toEqual(eventConsumers['agent-runner']);
});
