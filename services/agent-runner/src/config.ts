import { baseConfigSchema } from '@swissbrain/service-kit/config';
import { z } from 'zod';
import { modelConfigText } from './agent/model-config.ts';
import { modelProblems } from './agent/model-needs.ts';
import { nameserverList, namespacesByTier } from './sandbox/kubernetes-settings.ts';
import { mcpConfigText, namedSecrets, secretPrefix } from './tools/mcp/mcp-config.ts';

const seconds = (fallback: number) => z.coerce.number().int().positive().default(fallback);

const settings = baseConfigSchema.extend({
  /** Runs that this process works on at once. */
  RUN_CONCURRENCY: z.coerce.number().int().min(1).max(1_000).default(50),
  RUN_MAX_PARALLEL_STEPS: z.coerce.number().int().min(1).max(64).default(4),
  /**
   * Wall clock of any run from its first start; afterwards it ends `timed_out`. The default is that of the mode that
   * allows the most; others shorten it.
   */
  RUN_MAX_SECONDS: seconds(14_400),
  /** Workers that may take a run over before it fails. */
  RUN_MAX_ATTEMPTS: z.coerce.number().int().min(1).default(50),
  /** A run that waits for its user or is paused for longer ends `timed_out`. */
  RUN_MAX_IDLE_SECONDS: seconds(30 * 24 * 3_600),
  /** How long a question to the user stays open unless it says so itself. */
  QUESTION_TIMEOUT_SECONDS: seconds(24 * 3_600),
  /** A cancel ends the run within so long, whatever its worker does. */
  RUN_CANCEL_SECONDS: z.coerce.number().min(1).max(300).default(5),
  /** How long a worker may be silent before another takes its run over. */
  RUN_LEASE_SECONDS: z.coerce.number().int().min(2).max(600).default(15),
  RUN_DISPATCH_POLL_MS: z.coerce.number().int().min(20).default(1_000),
  RUN_HOLD_HEARTBEAT_MS: z.coerce.number().int().min(100).default(20_000),
  /** Comments on quiet event streams, and the look for what they missed. */
  RUN_FOLLOW_HEARTBEAT_MS: z.coerce.number().int().min(100).default(10_000),
  RUN_SWEEP_MS: z.coerce.number().int().min(100).default(10_000),
  /** Model calls of a goal run before it fails, whatever its mode allows. */
  GOAL_MAX_STEPS: z.coerce.number().int().min(1).max(10_000).default(200),
  /** A folder with a file for each mode, instead of our own. */
  MODES_DIR: z.string().min(1).optional(),

  /** The folder of artifacts, where there is no bucket. One of the two is required. */
  STORAGE_DIR: z.string().min(1).optional(),
  /** A bucket of an S3-compatible server; wins over the folder. */
  STORAGE_S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
    .optional(),
  STORAGE_S3_REGION: z.string().min(1).default('us-east-1'),
  /** Address of the server; without it Amazon's of the region. */
  STORAGE_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** The address at which clients reach it, for links; without it the same. */
  STORAGE_S3_PUBLIC_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** Without keys they come from where the AWS SDK looks: web identity, instance, environment. */
  STORAGE_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  STORAGE_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  /** `https://host/bucket/key` instead of `https://bucket.host/key`; most servers but Amazon's want it. */
  STORAGE_S3_PATH_STYLE: z.stringbool().default(true),
  /** `service`: links lead through agent-runner, for a bucket that clients cannot reach. */
  STORAGE_LINKS: z.enum(['direct', 'service']).default('direct'),
  /** Signs artifact links; every replica needs the same one. */
  STORAGE_SIGNING_SECRET: z.string().min(32),
  /** Whole days after which an object that nothing refers to is deleted. */
  STORAGE_GRACE_DAYS: z.coerce.number().int().min(2).default(3),
  /** How often runs past the days of their tier and objects without a row are looked for. */
  RETENTION_SWEEP_SECONDS: seconds(3_600),
  /** How often the removal of users who leave is taken further. */
  REMOVAL_POLL_MS: z.coerce.number().int().min(20).default(2_000),
  /** After so long without news the files of a removed user are looked for once more. */
  REMOVAL_SETTLE_SECONDS: z.coerce.number().int().min(0).default(120),
  ARTIFACTS_URL_TTL_SECONDS: seconds(900),
  ARTIFACTS_MAX_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(100 * 1024 * 1024),

  /** What one user may have uploaded for runs to come, in all. */
  UPLOADS_MAX_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(1024 * 1024 * 1024),
  /** Days after which an upload goes; runs that were given it keep what they were given. */
  UPLOADS_KEEP_DAYS: z.coerce.number().int().min(1).default(7),

  /** Larger workspaces are not kept: a sandbox that is lost takes theirs along, and is left as it is while a run waits. */
  WORKSPACE_MAX_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(1024 * 1024 * 1024),

  /**
   * `local` starts sandboxes as processes of this machine: for development, refused in production. `kubernetes` starts
   * them as Jobs of the cluster that this service runs in, or that KUBECONFIG names.
   */
  SANDBOX_DRIVER: z.enum(['local', 'kubernetes']).default('local'),
  /** Of the local driver. */
  SANDBOX_DIR: z.string().min(1).optional(),
  /** The secrets of sessions are derived from it; every replica needs the same one. */
  SANDBOX_SECRET: z.string().min(32),
  /** Where the local driver looks for python3. */
  PATH: z.string().default('/usr/local/bin:/usr/bin:/bin'),
  SANDBOX_IDLE_SECONDS: seconds(900),
  SANDBOX_LIFETIME_SECONDS: seconds(86_400),
  /** A sandbox that cannot be reached is given up after so long, and its step begun again in another. */
  SANDBOX_PATIENCE_SECONDS: seconds(120),
  /** Of the Kubernetes driver, as all that follow: the image of sandboxes with its tag. */
  SANDBOX_IMAGE: z.string().min(1).optional(),
  SANDBOX_IMAGE_PULL_POLICY: z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent'),
  /** `default=<namespace>,<tier>=<namespace>`. */
  SANDBOX_NAMESPACES: namespacesByTier.optional(),
  /** Tells the sandboxes of this installation from those of another. */
  SANDBOX_INSTANCE: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
    .default('swissbrain'),
  /** gVisor, Kata; with SANDBOX_REQUIRE_ISOLATION the service does not start without one. */
  SANDBOX_RUNTIME_CLASS: z.string().min(1).optional(),
  SANDBOX_REQUIRE_ISOLATION: z.stringbool().default(false),
  /** False gives each sandbox a user namespace of its own. */
  SANDBOX_HOST_USERS: z.stringbool().default(true),
  /** `internet` labels sandboxes for the network policy that lets them out; without that policy nothing goes out. */
  SANDBOX_EGRESS: z.enum(['none', 'internet']).default('none'),
  /** Where sandboxes with egress look up names: up to three addresses. */
  SANDBOX_NAMESERVERS: nameserverList.default([]),
  SANDBOX_START_SECONDS: seconds(120),
  /** Idle sandboxes kept for each of the limits that runs have asked for lately; 0 keeps none. */
  SANDBOX_WARM_SESSIONS: z.coerce.number().int().min(0).max(100).default(0),

  /** Web search, the first of these: a SearXNG whose settings allow the format json, a key of Brave, one of Tavily. */
  SEARCH_SEARXNG_URL: z.url({ protocol: /^https?$/ }).optional(),
  SEARCH_BRAVE_API_KEY: z.string().min(1).optional(),
  SEARCH_BRAVE_URL: z.url({ protocol: /^https?$/ }).default('https://api.search.brave.com'),
  SEARCH_TAVILY_API_KEY: z.string().min(1).optional(),
  SEARCH_TAVILY_URL: z.url({ protocol: /^https?$/ }).default('https://api.tavily.com'),

  /** How often it is looked whether the services are there that do the work of some tools. */
  REMOTE_LOOK_MS: z.coerce.number().int().min(50).default(15_000),

  /** MCP servers whose tools runs may use: JSON, see README.md. */
  MCP_CONFIG: mcpConfigText.optional(),
  /** The variables `MCP_SECRET_<name>`, which MCP_CONFIG may name. */
  MCP_SECRETS: z.record(z.string(), z.string()).default({}),
  /** Pause before a lost MCP server is tried again, which then doubles. */
  MCP_RETRY_MS: z.coerce.number().int().min(1).default(1_000),

  /** Chromium, where it is not found: on this machine for the local driver, in the image on a cluster. */
  BROWSER_CHROMIUM_PATH: z.string().min(1).optional(),
  /** All pages are fetched through it. */
  BROWSER_PROXY_URL: z.url({ protocol: /^(https?|socks5)$/ }).optional(),

  /** The model that makes pictures: of OpenAI, or of a server with its API at IMAGE_BASE_URL. */
  IMAGE_MODEL: z.string().min(1).optional(),
  IMAGE_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Without, for OpenAI, OPENAI_API_KEY. */
  IMAGE_API_KEY: z.string().min(1).optional(),
  IMAGE_TIMEOUT_SECONDS: seconds(180),

  /** The model by whose embeddings memory is searched, too: of OpenAI, or of a server with its API at EMBEDDING_BASE_URL. */
  EMBEDDING_MODEL: z.string().min(1).optional(),
  EMBEDDING_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Without, for OpenAI, OPENAI_API_KEY. */
  EMBEDDING_API_KEY: z.string().min(1).optional(),
  EMBEDDING_TIMEOUT_SECONDS: z.coerce.number().min(1).max(10).default(5),
  /** Cosine from which on a memory counts as related to what is looked for. */
  EMBEDDING_MIN_SIMILARITY: z.coerce.number().min(-1).max(1).default(0.35),

  /** Several models, and which to ask in which mode: JSON, see README.md. Instead of the variables for a single one. */
  MODEL_CONFIG: modelConfigText.optional(),
  /** Any server with OpenAI's chat completions API: Ollama, vLLM, LiteLLM. */
  MODEL_BASE_URL: z.url().optional(),
  MODEL_NAME: z.string().min(1).optional(),
  MODEL_API_KEY: z.string().min(1).optional(),
  OPENAI_API_KEY: z.string().min(1).optional(),
  OPENAI_BASE_URL: z.url().optional(),
  ANTHROPIC_API_KEY: z.string().min(1).optional(),
  ANTHROPIC_BASE_URL: z.url().optional(),
  /** What prompt and answer may be together, in tokens. */
  MODEL_CONTEXT_TOKENS: z.coerce.number().int().min(2_000).optional(),
  MODEL_MAX_OUTPUT_TOKENS: z.coerce.number().int().min(1).default(4_096),
  MODEL_TIMEOUT_SECONDS: seconds(120),
  /** How often a call that may go well the next time is made again, by each model. */
  MODEL_RETRIES: z.coerce.number().int().min(0).max(10).default(2),
  /** Pause before the first of them, which then doubles. */
  MODEL_RETRY_MS: z.coerce.number().int().min(1).default(1_000),
  /** A provider that asks for a longer pause counts as failed. */
  MODEL_RETRY_LONGEST_SECONDS: seconds(60),
});

const withStorage = settings
  .refine((given) => given.STORAGE_DIR !== undefined || given.STORAGE_S3_BUCKET !== undefined, {
    path: ['STORAGE_DIR'],
    error: 'STORAGE_DIR or STORAGE_S3_BUCKET is required',
  })
  .refine((given) => !given.STORAGE_S3_ACCESS_KEY_ID === !given.STORAGE_S3_SECRET_ACCESS_KEY, {
    path: ['STORAGE_S3_SECRET_ACCESS_KEY'],
    error: 'STORAGE_S3_ACCESS_KEY_ID and STORAGE_S3_SECRET_ACCESS_KEY belong together',
  });

/** The settings of the upkeep, which touches database and objects alone: nothing of a sandbox or model must be there. */
export const upkeepConfigSchema = withStorage;

const described = withStorage
  .superRefine((config, context) => {
    const need = (name: keyof typeof config, why: string) => {
      if (config[name] === undefined) context.addIssue({ code: 'custom', path: [name], message: why });
    };
    if (config.SANDBOX_DRIVER === 'local')
      return need('SANDBOX_DIR', 'the local sandbox driver needs a folder');
    need('SANDBOX_IMAGE', 'the Kubernetes sandbox driver needs an image');
    need('SANDBOX_NAMESPACES', 'the Kubernetes sandbox driver needs namespaces');
    if (!config.SANDBOX_REQUIRE_ISOLATION) return;
    need(
      'SANDBOX_RUNTIME_CLASS',
      'SANDBOX_REQUIRE_ISOLATION is set, so a RuntimeClass such as gvisor or kata is needed',
    );
  })
  .refine((given) => !given.STORAGE_S3_BUCKET || given.ARTIFACTS_MAX_BYTES <= 5 * 1024 ** 3, {
    path: ['ARTIFACTS_MAX_BYTES'],
    error: 'a bucket takes objects of at most 5 GiB',
  })
  .superRefine(({ MCP_CONFIG: mcp, MCP_SECRETS: secrets }, context) => {
    for (const { path, name } of mcp ? namedSecrets(mcp) : []) {
      if (secrets[name] !== undefined) continue;
      context.addIssue({ code: 'custom', path: ['MCP_CONFIG', ...path], message: `${name} is not set` });
    }
  })
  .superRefine((config, context) => {
    for (const { path, message } of modelProblems(config)) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
  });

/** Brings the variables together whose names are the operator's own. */
function gatherSecrets(given: unknown): unknown {
  const variables = Object.entries(z.record(z.string(), z.unknown()).parse(given));
  const secrets = variables.filter(([name]) => name.startsWith(secretPrefix));
  return { ...Object.fromEntries(variables), MCP_SECRETS: Object.fromEntries(secrets) };
}

/** Every setting of agent-runner; see README.md for what each does. What a sandbox driver needs must be there. */
export const configSchema = z.preprocess(gatherSecrets, described);

export type Config = z.infer<typeof configSchema>;
