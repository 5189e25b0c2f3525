// Who may import whom. Each rule is proven by a forbidden import in scripts/imports.test.ts.
const tests = '(\\.test\\.ts$|/test/)';
const edges = 'routes|consumers|jobs|rpc';
const within = (...rooms) => `^services/[^/]+/src/(${rooms.join('|')})(/|\\.ts$)`;
const npm = '^node_modules/|/node_modules/';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Files that need one another are one file, or miss a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'The import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'services-apart',
      comment: 'Services meet through events, rpc and their HTTP schemas in shared-schema.',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'domain-is-pure',
      comment: 'Rules take data and give data: no library, no input or output.',
      severity: 'error',
      from: { path: '^services/([^/]+)/src/domain/', pathNot: tests },
      to: {
        pathNot: [
          '^services/$1/src/domain/',
          '^packages/shared-schema/src/(ids|amount|operations)\\.ts$',
          '/zod/',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'domain-types-are-pure',
      comment: 'Types of events and of HTTP are data; types of rows, transactions and frameworks are not.',
      severity: 'error',
      from: { path: '^services/([^/]+)/src/domain/', pathNot: tests },
      to: {
        pathNot: [
          '^services/$1/src/domain/',
          '^packages/shared-schema/src/(ids|amount|operations|events/|http/)',
          '/zod/',
        ],
        dependencyTypes: ['type-only'],
      },
    },
    {
      name: 'store-speaks-sql',
      comment: 'Rows in, rows out: domain types, generated row types, kysely and the transaction.',
      severity: 'error',
      from: { path: '^services/([^/]+)/src/store/', pathNot: tests },
      to: {
        pathNot: [
          '^services/$1/src/(domain|store)/',
          '^packages/shared-schema/src/(ids|amount|db/|events/)',
          '^packages/service-kit/src/(database|cursor|errors|outbox|trace-context)',
          '/(kysely|zod)/',
          '^node:|^crypto$',
        ],
      },
    },
    {
      name: 'operations-below-edges',
      comment: 'An operation does not know who calls it, nor HTTP, NATS or Redis.',
      severity: 'error',
      from: { path: within('operations'), pathNot: tests },
      to: {
        path: [
          within(edges, 'service', 'main', 'config'),
          '^packages/service-kit/src/(http|consumer|jobs|platform|process)',
          '/(fastify|bullmq|ioredis|@nats-io)/',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'edges-through-operations',
      comment:
        'Parse, call one operation, map the result (whose type may be a row): never reach past it into the store.',
      severity: 'error',
      from: { path: within(edges), pathNot: tests },
      to: { path: within('store', 'service', 'main'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'edges-apart',
      comment: 'What two edges share is an operation.',
      severity: 'error',
      from: { path: `^services/[^/]+/src/(${edges})/`, pathNot: tests },
      to: { path: within(edges), pathNot: '^services/[^/]+/src/$1/' },
    },
    {
      name: 'lower-rooms-below-edges',
      comment: 'Special rooms serve operations and edges, not the other way round.',
      severity: 'error',
      from: {
        path: '^services/[^/]+/src/[^/]+/',
        pathNot: [tests, within(edges, 'operations', 'store', 'domain')],
      },
      to: { path: within(edges, 'service', 'main') },
    },
    {
      name: 'main-is-last',
      comment: 'main.ts is the process and nothing imports it; service.ts is imported by it and by tests.',
      severity: 'error',
      from: { path: '^services/[^/]+/src/', pathNot: [tests, '/src/main\\.ts$'] },
      to: { path: within('main', 'service') },
    },
    {
      name: 'shared-schema-depends-on-zod-alone',
      severity: 'error',
      from: { path: '^packages/shared-schema/', pathNot: tests },
      to: { pathNot: ['^packages/shared-schema/', '/zod/'] },
    },
    {
      name: 'service-kit-depends-on-shared-schema',
      severity: 'error',
      from: { path: '^packages/service-kit/', pathNot: tests },
      to: {
        path: '^(packages|services|db|scripts|tests|bench)/',
        pathNot: '^packages/(service-kit|shared-schema)/',
      },
    },
    {
      name: 'sandbox-runtime-stands-alone',
      comment: 'It runs inside a sandbox where there is nothing but Node.',
      severity: 'error',
      from: { path: '^packages/sandbox-runtime/', pathNot: tests },
      to: { pathNot: '^packages/sandbox-runtime/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'local-stack-knows-names-alone',
      comment: 'It starts programs; what they do is no concern of it.',
      severity: 'error',
      from: { path: '^packages/local-stack/', pathNot: tests },
      to: {
        path: '^(packages|services|db|scripts|tests|bench)/',
        pathNot: [
          '^packages/local-stack/',
          '^packages/shared-schema/src/ids\\.ts$',
          // The users of NATS and their rights, which it hands to the server as they are.
          '^packages/shared-schema/src/nats-permissions\\.ts$',
          // Whoever started a sandbox may be gone: its own package knows how to end it.
          '^packages/sandbox-runtime/src/session-directory\\.ts$',
        ],
      },
    },
    {
      name: 'client-and-cli-outside-services',
      comment:
        'They are what a user has: the HTTP schemas and the local stack, never the inside of a service.',
      severity: 'error',
      from: { path: '^packages/(client|cli)/', pathNot: tests },
      to: {
        path: '^(packages|services|db|scripts|tests|bench)/',
        pathNot: [
          '^packages/(client|cli|shared-schema|local-stack)/',
          '^packages/service-kit/src/(clock|streams|event-headers)\\.ts$',
        ],
      },
    },
    {
      name: 'client-is-light',
      severity: 'error',
      from: { path: '^packages/client/', pathNot: tests },
      to: { path: '^packages/', pathNot: ['^packages/(client|shared-schema)/'] },
    },
    {
      name: 'packages-below-services',
      severity: 'error',
      from: { path: '^packages/', pathNot: ['^packages/testkit/'] },
      to: { path: '^(services|scripts|tests|bench)/' },
    },
    {
      name: 'testkit-for-tests',
      comment: 'Test libraries must not reach a running service.',
      severity: 'error',
      from: { pathNot: [tests, '^(packages/testkit|tests|bench)/', '^vitest\\.config\\.ts$'] },
      to: { path: '^packages/testkit/|/(vitest|fast-check)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: npm },
    exclude: { path: '\\.swissbrain/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.cjs', '.json'],
    },
  },
};
