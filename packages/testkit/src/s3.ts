import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findExecutable, searchPath } from '@swissbrain/local-stack/binaries';
import { startChild, stopChild, untilReady } from '@swissbrain/local-stack/child';
import { onPort, serverEnvironment } from '@swissbrain/local-stack/server';

/** A bucket of a real S3-compatible server, empty unless it is the one that was given. */
export interface TestS3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  stop(): Promise<void>;
}

const readyWithinMs = 20_000;
const keys = {
  accessKeyId: 'swissbrain-test',
  secretAccessKey: 'the secret of a throw-away server',
} as const;

/** Says where an S3 server can come from, for tests that are skipped without one. */
export const s3Missing =
  'no S3 server: put versitygw on PATH, or set S3_TEST_URL to http://<key>:<secret>@<host>:<port>/<bucket>';

/** Whether `startTestS3` finds a server. */
export async function hasTestS3(): Promise<boolean> {
  return process.env.S3_TEST_URL !== undefined || (await gateway()) !== undefined;
}

/**
 * The bucket that `S3_TEST_URL` names, else one of a throw-away versitygw, which serves a temporary folder.
 * @throws with `s3Missing` when there is neither
 */
export async function startTestS3(): Promise<TestS3> {
  const given = process.env.S3_TEST_URL;
  if (given !== undefined) return bucketOf(new URL(given));
  const command = await gateway();
  if (command === undefined) throw new Error(s3Missing);
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-test-s3-'));
  const bucket = 'artifacts';
  await mkdir(join(directory, 'data', bucket), { recursive: true });
  return onPort(undefined, async (port) => {
    const endpoint = `http://127.0.0.1:${port}`;
    const child = await startChild({
      name: 'versitygw',
      command,
      args: ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', join(directory, 'data')],
      env: {
        ...serverEnvironment(),
        ROOT_ACCESS_KEY: keys.accessKeyId,
        ROOT_SECRET_KEY: keys.secretAccessKey,
      },
      logFile: join(directory, 'versitygw.log'),
    });
    const stop = async () => {
      await stopChild(child, [{ signal: 'SIGTERM', waitMs: 1_000 }]);
      await rm(directory, { recursive: true, force: true });
    };
    try {
      await untilReady(child, async () => (await fetch(endpoint)).status > 0, readyWithinMs);
    } catch (error) {
      await stop();
      throw error;
    }
    return { endpoint, bucket, ...keys, stop };
  });
}

function gateway(): Promise<string | undefined> {
  return findExecutable('versitygw', searchPath(process.env.PATH));
}

function bucketOf(url: URL): TestS3 {
  return {
    endpoint: url.origin,
    bucket: url.pathname.slice(1),
    accessKeyId: decodeURIComponent(url.username),
    secretAccessKey: decodeURIComponent(url.password),
    stop: async () => {},
  };
}
