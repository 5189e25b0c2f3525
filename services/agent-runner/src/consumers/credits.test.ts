import { eventConsumers } from '@swissbrain/shared-schema/events/consumers';
import { expect, it } from 'vitest';
import { createToolRegistry } from '../tools/registry.ts';
import { creditsConsumers } from './credits.ts';
import { requestConsumers } from './requests.ts';
import { forgetsUser } from './users.ts';

it('are those that the permissions on NATS are made for', () => {
  const wakes = { dispatcher: () => undefined, worker: () => undefined, sweep: () => undefined };
  const deps = { tools: createToolRegistry([]), objects: {} as never, modelReason: null };
  const all = [...creditsConsumers(wakes), ...requestConsumers(deps, wakes), forgetsUser(() => undefined)];
  const declared = all.map(({ durable, event }) => [durable, event]);
  expect(Object.fromEntries(declared)).toEqual(eventConsumers['agent-runner']);
});
