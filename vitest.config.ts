import { defineConfig } from 'vitest/config';

// Test files run in processes of their own; two at a time suit the smallest machine this is developed on.
const maxWorkers = 2;
const exclude = ['**/node_modules/**', '**/.swissbrain/**'];

export default defineConfig({
  test: {
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['{packages,services}/*/src/**/*.test.ts', 'bench/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude,
          maxWorkers,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'integration',
          sequence: { groupOrder: 1 },
          include: ['{packages,services}/*/test/**/*.test.ts', 'db/test/**/*.test.ts'],
          exclude,
          globalSetup: ['@swissbrain/testkit/global-setup'],
          maxWorkers,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          sequence: { groupOrder: 2 },
          include: ['tests/e2e/**/*.test.ts'],
          exclude,
          // Each file brings up all six services.
          maxWorkers: 1,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'cluster',
          sequence: { groupOrder: 3 },
          include: ['tests/cluster/**/*.test.ts'],
          exclude,
          maxWorkers: 1,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
