import { randomInt, randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { auditRuns, type Shape } from './support/audit-killed.ts';
import { type KillPoints, watchChanges } from './support/kill-points.ts';
import { createDriver, type Scenario, scenarios } from './support/kill-scenarios.ts';
import { type KilledWorkers, startKilledWorkers } from './support/killed-workers.ts';
import { type Outside, startOutside } from './support/outside.ts';
import { newUser, type Runner, startRunner } from './support/runner.ts';

const isFull = process.env.SWISSBRAIN_FULL === '1';
/** Kills in the life of one run: the sample's, and those of the sweep, which takes as many runs as it needs. */
const most = isFull ? 6 : 1;

let runner: Runner;
let model: ModelServer;
let outside: Outside;
let points: KillPoints;
let workers: KilledWorkers;

beforeAll(async () => {
  model = await startModelServer();
  model.keepRequests = false;
  outside = await startOutside();
  runner = await startRunner({ service: false });
  points = await watchChanges(runner.database);
  const environment = {
    ...runner.environment,
    MODEL_BASE_URL: model.url,
    MODEL_NAME: 'scripted',
    MODEL_RETRY_MS: '50',
    EFFECT_URL: outside.url,
    RUN_CANCEL_SECONDS: '1',
  };
  workers = await startKilledWorkers(environment, runner.database);
});
/** A scenario that has failed leaves nothing held up and a worker for the next. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  await points.release();
  await workers.kill();
  await workers.next();
});
afterAll(async () => {
  await workers?.stop();
  await runner?.stop();
  await model?.stop();
  outside?.stop();
});

/** Effects that were brought about and never told of, since a worker died over them: by scenario and name. */
const untold = new Set<string>();

/** Kills the worker wherever a change or a call is held up, until the scenario has ended; how often. */
async function killWhereStopped(
  driven: Promise<void>,
  arm: (more: boolean) => Promise<void>,
): Promise<number> {
  let kills = 0;
  let ended = false;
  const end = driven.finally(() => {
    ended = true;
  });
  end.catch(() => {});
  while (!ended) {
    if (outside.takeStopped() || (await points.isStopped())) {
      await workers.kill();
      await points.release();
      kills += 1;
      await arm(kills < most);
      await workers.next();
    }
    await delay(5);
  }
  await end;
  return kills;
}

/** Takes a run through a scenario and checks all that came of it; kills where changes fit that were not killed at yet. */
async function takeThrough(
  scenario: Scenario,
  stopAt: RegExp | null,
): Promise<{ kills: number; shapes: Shape[] }> {
  const userId = randomUUID();
  runner.credits.onRequest = () => ({ hold: 100_000_000n });
  runner.credits.onExtend = () => ({ status: 'extended', held_micro: '0' });
  const key = randomUUID().slice(0, 8);
  const arm = (more: boolean) => {
    outside.stopAt((name) => {
      const call = `outside ${name.slice(key.length + 1)}`;
      if (!more || !stopAt?.test(call) || untold.has(`${scenario.name} ${call}`)) return false;
      untold.add(`${scenario.name} ${call}`);
      return true;
    });
    return points.arm(userId, scenario.name, more ? stopAt : null);
  };
  await arm(true);
  const conversations = (...all: typeof model.conversations) => {
    model.conversations = all;
  };
  const driver = createDriver({ userId, key, runner, outside, conversations }, () => workers.url);
  const kills = await killWhereStopped(scenario.drive(driver), arm);
  await points.release();
  const user = await newUser(workers.url, userId);
  const shapes = await auditRuns(runner, user, outside);
  await waitFor(async () => (await readdir(`${runner.directory}/sandboxes`).catch(() => [])).length === 0, {
    describe: 'the sandboxes to go',
  });
  return { kills, shapes };
}

/** Each second scenario of an order that begins anywhere: half of them in `npm test`, all in the sweep. */
const seed = Number(process.env.KILL_SEED ?? randomInt(scenarios.length));
const chosen = scenarios.filter((_, index) => isFull || (index + seed) % 2 === 0);

describe(`kill -9 of the worker (KILL_SEED=${seed}) while a run`, () => {
  it.each(chosen.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    { timeout: isFull ? 1_800_000 : 120_000 },
    async (name, scenario) => {
      const { kills: none, shapes: expected } = await takeThrough(scenario, null);
      expect(none).toBe(0);
      const left = async () => (await points.changes(name)).filter(({ killed }) => !killed);
      const undisturbed = new Set((await left()).map(({ change }) => change));
      let kills: number;
      do {
        const taken = await takeThrough(scenario, isFull ? /./ : scenario.sample);
        kills = taken.kills;
        expect(taken.shapes).toEqual(expected);
        if (!isFull) expect(kills).toBe(1);
      } while (isFull && kills > 0);
      // What only kills bring about need not come again.
      if (isFull) expect((await left()).filter(({ change }) => undisturbed.has(change))).toEqual([]);
    },
  );
});
