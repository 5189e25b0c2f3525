import { randomUUID } from 'node:crypto';
import { startConsumers } from '@swissbrain/service-kit/consumer';
import { serveDeadLetters } from '@swissbrain/service-kit/dead-letter-routes';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { type Loop, startLoop } from '@swissbrain/service-kit/loop';
import { gauge } from '@swissbrain/service-kit/metrics';
import { openPlatform, type Platform, serve } from '@swissbrain/service-kit/platform';
import { chooseEmbedder } from './agent/embedder.ts';
import type { Engine } from './agent/engine.ts';
import { createLiveRuns } from './agent/live-runs.ts';
import { chooseModels, type ModelChoice } from './agent/models.ts';
import { loadModes } from './agent/modes.ts';
import type { Config } from './config.ts';
import { creditsConsumers } from './consumers/credits.ts';
import { requestConsumers } from './consumers/requests.ts';
import { forgetsUser } from './consumers/users.ts';
import { createDeltas } from './follow/deltas.ts';
import { createLiveEvents } from './follow/live-events.ts';
import { createNudges } from './follow/nudges.ts';
import { startRemoval, startRetention } from './jobs/clean-up.ts';
import { startDispatcher } from './jobs/dispatcher.ts';
import { workOnOffers } from './jobs/execute-run.ts';
import { startCancels, startHoldHeartbeat, startLeaseRenewal, startSweep } from './jobs/reconcilers.ts';
import { renewLeases } from './operations/claims.ts';
import type { RunWakes } from './operations/questions.ts';
import { registerArtifactRoutes } from './routes/artifacts.ts';
import { registerMeRoutes } from './routes/me.ts';
import { registerMemoryRoutes } from './routes/memory.ts';
import { registerQuestionRoutes } from './routes/questions.ts';
import { registerControlRoutes } from './routes/run-control.ts';
import { registerEventRoutes } from './routes/run-events.ts';
import { registerForkRoutes } from './routes/run-forks.ts';
import { registerRunRoutes } from './routes/runs.ts';
import { registerToolRoutes } from './routes/tools.ts';
import { registerUploadRoutes } from './routes/uploads.ts';
import { registerUsageRoutes } from './routes/usage.ts';
import { serveBillableSteps } from './rpc/billable-steps.ts';
import { serveEstimateRun } from './rpc/estimate-run.ts';
import { createSandboxDriver } from './sandbox/drivers.ts';
import { openObjectStore } from './storage/open-store.ts';
import { type McpServers, openMcpServers } from './tools/mcp/mcp-servers.ts';
import type { ToolRegistry } from './tools/registry.ts';
import { type Served, watchServed } from './tools/remote/served.ts';
import type { Tool } from './tools/tool.ts';
import { createTools, remoteMethods } from './tools/tools.ts';

/** What a caller adds to the service. */
export interface ServiceOptions {
  readonly extraTools?: readonly Tool[];
}

/** Begins to connect; runs are worked on once each server has been tried. */
function openMcp({ log, clock, release }: Platform, config: Config): McpServers {
  const { MCP_CONFIG: described = { servers: {} }, MCP_SECRETS: secrets, MCP_RETRY_MS: retryMs } = config;
  const servers = openMcpServers(described, { log, clock, secrets, retryMs });
  release.add('MCP servers', servers.close);
  return servers;
}

/** Looks which services are there whose methods tools need, and again and again. */
async function watchServices({ rpc, log, release }: Platform, config: Config): Promise<Served> {
  const served = watchServed(rpc, remoteMethods);
  await served.look();
  const looking = startLoop('other services', log, config.REMOTE_LOOK_MS, served.look);
  release.add('other services', () => looking.stop());
  return served;
}

function createEngine(platform: Platform, config: Config, choice: ModelChoice, tools: ToolRegistry): Engine {
  const { database, rpc, log, clock } = platform;
  const leaseMs = config.RUN_LEASE_SECONDS * 1_000;
  const owner = randomUUID();
  const overrideOf = 'reason' in choice ? () => ({}) : choice.models.override;
  const { objects, close } = openObjectStore(config, clock);
  platform.release.add('object store', close);
  return {
    ...{ database, rpc, log, clock, choice, leaseMs, owner },
    modes: loadModes(config.MODES_DIR ?? null, overrideOf),
    deltas: createDeltas(platform.nats, platform.isNatsConnected, log),
    wallMs: config.RUN_MAX_SECONDS * 1_000,
    idleMs: config.RUN_MAX_IDLE_SECONDS * 1_000,
    driver: createSandboxDriver(config, platform),
    objects,
    tools,
    live: createLiveRuns({
      leaseMs,
      clock,
      renew: (claims) => renewLeases(database, owner, leaseMs, claims),
    }),
    settings: {
      maxParallelSteps: config.RUN_MAX_PARALLEL_STEPS,
      maxAttempts: config.RUN_MAX_ATTEMPTS,
      goalMaxSteps: config.GOAL_MAX_STEPS,
      artifactMaxBytes: config.ARTIFACTS_MAX_BYTES,
      workspaceMaxBytes: config.WORKSPACE_MAX_BYTES,
      sandboxPatienceMs: config.SANDBOX_PATIENCE_SECONDS * 1_000,
      questionTimeoutMs: config.QUESTION_TIMEOUT_SECONDS * 1_000,
    },
  };
}

/** Starts what works on runs. Stopping goes backwards: no new offers, then the runs are left, then the leases end. */
function startWork(platform: Platform, engine: Engine, config: Config): RunWakes {
  const { release, jobs } = platform;
  const leases = startLeaseRenewal(engine);
  release.add('leases', () => leases.stop());
  const nudges = createNudges(platform.nats, (runId) => {
    if (engine.live.has(runId)) leases.wake();
  });
  release.add('nudges', nudges.close);
  release.add('runs', () => engine.live.drain());
  const dispatcher = startDispatcher(engine, jobs, {
    places: config.RUN_CONCURRENCY,
    pollMs: config.RUN_DISPATCH_POLL_MS,
  });
  release.add('dispatcher', () => dispatcher.stop());
  workOnOffers(jobs, engine, config.RUN_CONCURRENCY, dispatcher.wake);
  const holds = startHoldHeartbeat(engine, config.RUN_HOLD_HEARTBEAT_MS);
  release.add('holds', () => holds.stop());
  const wakes: RunWakes = {
    dispatcher: dispatcher.wake,
    worker: nudges.send,
    sweep: () => sweep.wake(),
  };
  const sweep = startSweep(engine, config.RUN_SWEEP_MS, wakes);
  release.add('sweep', () => sweep.stop());
  const cancels = startCancels(engine, config.RUN_CANCEL_SECONDS * 1_000);
  release.add('cancels', () => cancels.stop());
  return wakes;
}

/** Starts what deletes: users who leave, runs past their time, objects without a row. */
function startCleanUp(
  platform: Platform,
  { database, objects }: Engine,
  config: Config,
  wakes: RunWakes,
): Loop {
  const settleMs = config.REMOVAL_SETTLE_SECONDS * 1_000;
  const deps = { database, objects, wakes, settleMs };
  const removal = startRemoval(platform, deps, config.REMOVAL_POLL_MS);
  platform.release.add('removal of users', () => removal.stop());
  const retention = startRetention(platform, deps, {
    everyMs: config.RETENTION_SWEEP_SECONDS * 1_000,
    graceDays: config.STORAGE_GRACE_DAYS,
    uploadDays: config.UPLOADS_KEEP_DAYS,
  });
  platform.release.add('retention', () => retention.stop());
  return removal;
}

function registerRoutes(platform: Platform, engine: Engine, config: Config, wakes: RunWakes): void {
  const { http, database, clock, release, nats, log, metrics } = platform;
  const { objects, tools, choice } = engine;
  const live = createLiveEvents(nats, log);
  release.add('live events', live.close);
  const modelReason = 'reason' in choice ? choice.reason : null;
  registerControlRoutes(http, { database, objects, wakes });
  registerForkRoutes(http, { database, tools, objects, modelReason });
  registerQuestionRoutes(http, { database, wakes });
  registerRunRoutes(http, { database, tools, objects, modelReason });
  const followers = gauge(metrics, 'run_followers', 'Clients that follow a run', []);
  registerEventRoutes(http, {
    database,
    live,
    followers,
    deltas: engine.deltas,
    heartbeatMs: config.RUN_FOLLOW_HEARTBEAT_MS,
  });
  registerArtifactRoutes(http, {
    ...{ database, objects, clock },
    secret: config.STORAGE_SIGNING_SECRET,
    ttlSeconds: config.ARTIFACTS_URL_TTL_SECONDS,
    publicUrl: config.PUBLIC_URL ?? null,
    direct: config.STORAGE_LINKS === 'direct',
  });
  registerUploadRoutes(http, {
    ...{ database, objects },
    limits: { fileBytes: config.ARTIFACTS_MAX_BYTES, userBytes: config.UPLOADS_MAX_BYTES },
  });
  registerToolRoutes(http, tools);
  registerUsageRoutes(http, { database, clock });
  serveEstimateRun(platform.rpc, { tools, modelReason });
}

/** Starts agent-runner: the API, the engine of runs and its reconcilers. */
export async function startService(
  config: Config,
  { extraTools = [] }: ServiceOptions = {},
): Promise<RunningService> {
  const platform = await openPlatform('agent-runner', config);
  try {
    const choice = chooseModels(config);
    const embedder = chooseEmbedder(config, platform.clock, platform.log);
    const mcp = openMcp(platform, config);
    const served = await watchServices(platform, config);
    const tools = createTools(config, { ...platform, choice, embedder, served, mcp }, extraTools);
    const engine = createEngine(platform, config, choice, tools);
    await mcp.tried;
    const wakes = startWork(platform, engine, config);
    const removal = startCleanUp(platform, engine, config, wakes);
    registerRoutes(platform, engine, config, wakes);
    registerMemoryRoutes(platform.http, platform.database, embedder);
    registerMeRoutes(platform.http, { database: platform.database, wake: removal.wake });
    serveBillableSteps(platform.rpc, platform.database);
    const { objects } = engine;
    const modelReason = 'reason' in engine.choice ? engine.choice.reason : null;
    const consumers = [
      ...creditsConsumers(wakes),
      ...requestConsumers({ tools, objects, modelReason }, wakes),
      forgetsUser(removal.wake),
    ];
    serveDeadLetters(platform, consumers);
    await startConsumers(platform, consumers);
    return await serve(platform);
  } catch (error) {
    await platform.release.release(config.SHUTDOWN_DEADLINE_MS);
    throw error;
  }
}
