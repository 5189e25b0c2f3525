import { join } from 'node:path';
import { isRunning } from '@swissbrain/local-stack/process-group';
import { readStackState, type StackState } from '@swissbrain/local-stack/state';
import { type Connection, connect, connectStack, tokenClaims } from '../connection.ts';
import type { Context } from '../context.ts';
import { developmentUser } from '../development-user.ts';
import { check, type Finding, unknown } from './check.ts';
import { checkNode, checkPnpm, checkPython } from './machine.ts';
import { checkNats, checkPostgres, checkRedis } from './servers.ts';
import { checkModel, checkServices } from './services.ts';

const startIt = 'Start SwissBrain: npm start';

/** Looks at everything a run needs and at what makes it nicer, in the order in which one depends on another. */
export async function examine(context: Context): Promise<Finding[]> {
  const machine = await Promise.all([checkNode(), checkPnpm(), checkPython()]);
  return [...machine, ...(context.environment.SWISSBRAIN_URL ? await remote(context) : await local(context))];
}

async function local(context: Context): Promise<Finding[]> {
  const stacks: StackState[] = [];
  const found = await check({ name: 'stack', needed: true, advice: startIt }, async () => {
    const state = await readStackState(context.root);
    if (state === undefined) throw new Error('not running');
    if (!(await isRunning(state.supervisor))) throw new Error('its supervisor has died');
    stacks.push(state);
    return `process ${state.supervisor.pid}, data in ${state.data_dir}`;
  });
  const [stack] = stacks;
  return [found, ...(stack ? await ofStack(stack, context) : await given(context))];
}

async function ofStack(stack: StackState, context: Context): Promise<Finding[]> {
  const log = (name: string) =>
    `See ${join(stack.data_dir, 'logs', `${name}.log`)}; npm start brings it up again.`;
  const connection = connectStack(
    stack,
    await developmentUser(stack.data_dir),
    tokenClaims(context.environment),
  );
  const found = await Promise.all([
    checkPostgres(stack.postgres_url, log('postgres')),
    checkNats(stack.nats_url, context.environment, log('nats')),
    checkRedis(stack.redis_url, log('redis')),
    checkServices(stack.services, join(stack.data_dir, 'logs')),
    checkModel(connection.client),
  ]);
  return found.flat();
}

/** Without a stack only servers given by URL can be asked. */
async function given(context: Context): Promise<Finding[]> {
  const { DATABASE_URL, NATS_URL, REDIS_URL } = context.environment;
  const none = 'npm start brings one up';
  const advice = (name: string) =>
    `${name} names it: start that server, or unset ${name} for one of our own.`;
  const down = 'not asked: the stack is not running';
  return Promise.all([
    DATABASE_URL ? checkPostgres(DATABASE_URL, advice('DATABASE_URL')) : unknown('postgres', true, none),
    NATS_URL ? checkNats(NATS_URL, context.environment, advice('NATS_URL')) : unknown('nats', true, none),
    REDIS_URL ? checkRedis(REDIS_URL, advice('REDIS_URL')) : unknown('redis', true, none),
    unknown('services', true, down),
    unknown('model', false, down),
  ]);
}

async function remote(context: Context): Promise<Finding[]> {
  const url = context.environment.SWISSBRAIN_URL ?? '';
  const advice = 'Check SWISSBRAIN_URL and SWISSBRAIN_TOKEN.';
  const opened: Connection[] = [];
  const api = await check({ name: 'api', needed: true, advice }, async () => {
    const connection = await connect(context);
    await connection.client.credits.balance({ signal: AbortSignal.timeout(3_000) });
    opened.push(connection);
    return url;
  });
  const [connection] = opened;
  return [
    api,
    connection ? await checkModel(connection.client) : unknown('model', false, 'not asked: the API is down'),
  ];
}
