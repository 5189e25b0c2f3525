// Puts images of buildah's store onto the nodes of the test cluster: all in one archive, so that what they share is
// written once. `cluster load` does it image by image.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const buildahSettings = { STORAGE_DRIVER: 'overlay', BUILDAH_ISOLATION: 'chroot' };

/** Whether buildah has an image of this name. */
export function isBuilt(name: string): boolean {
  const env = { ...process.env, ...buildahSettings };
  return spawnSync('buildah', ['inspect', '--type', 'image', name], { env, stdio: 'ignore' }).status === 0;
}

/**
 * Imports the images on every node whose containerd listens below `home`.
 * @param home where the cluster keeps its state
 * @throws Error with what a program printed
 */
export async function loadImages(names: readonly string[], home: string): Promise<void> {
  const sockets = readdirSync(join(home, 'run'))
    .map((node) => join(home, 'run', node, 'containerd.sock'))
    .filter((socket) => existsSync(socket));
  if (sockets.length === 0) throw new Error(`no node of the cluster has its containerd below ${home}`);
  const work = mkdtempSync(join(home, 'images', 'load-'));
  try {
    // One layout for all: what they share is imported once. Layers in a layout are compressed, and gzip would take longer.
    const format = '--compression-format zstd --compression-level 1';
    for (const name of names) await shell(`buildah push -q ${format} "$1" "oci:$2:$1"`, name, work);
    const load = `tar -C "$1" -cf - . | ctr --address "$2" -n k8s.io images import -`;
    await Promise.all(sockets.map((socket) => shell(load, work, socket)));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function shell(script: string, ...args: readonly string[]): Promise<void> {
  const env = { ...process.env, ...buildahSettings };
  await promisify(execFile)('bash', ['-o', 'pipefail', '-c', script, 'sh', ...args], { env });
}
