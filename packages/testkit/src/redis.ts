import { startRedis } from '@swissbrain/local-stack/redis';
import { startTestServer, type TestServer } from './server.ts';

/** A Redis server for one test file. */
export function startTestRedis(): Promise<TestServer> {
  return startTestServer('redis', startRedis);
}
