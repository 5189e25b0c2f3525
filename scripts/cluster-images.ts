// Puts images of buildah's store onto the nodes of the test cluster: all in one archive, so that what they share is
// written once. `cluster load` does it image by image.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

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
export function loadImages(names: readonly string[], home: string): void {
  const sockets = readdirSync(join(home, 'run'))
    .map((node) => join(home, 'run', node, 'containerd.sock'))
    .filter((socket) => existsSync(socket));
  if (sockets.length === 0) throw new Error(`no node of the cluster has its containerd below ${home}`);
  const work = mkdtempSync(join(home, 'images', 'load-'));
  try {
    writeLayout(names, work);
    for (const socket of sockets)
      must(
        `tar -C "$1" -cf - . | ctr --address "$2" -n k8s.io images import -`,
        join(work, 'layout'),
        socket,
      );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** An OCI image layout with all of them, as opencontainers/image-spec has it. */
function writeLayout(names: readonly string[], work: string): void {
  const blobs = join(work, 'layout', 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const manifests = names.map((name) => {
    const one = join(work, 'one');
    must(`buildah push -q --disable-compression "$1" "dir:$2"`, name, one);
    const manifest = readFileSync(join(one, 'manifest.json'));
    const digest = createHash('sha256').update(manifest).digest('hex');
    renameSync(join(one, 'manifest.json'), join(blobs, digest));
    for (const blob of readdirSync(one))
      if (/^[0-9a-f]{64}$/.test(blob)) renameSync(join(one, blob), join(blobs, blob));
    rmSync(one, { recursive: true });
    return {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${digest}`,
      size: manifest.byteLength,
      annotations: { 'org.opencontainers.image.ref.name': name },
    };
  });
  writeFileSync(join(work, 'layout', 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(work, 'layout', 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

function must(script: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', script, 'sh', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...buildahSettings },
  });
  if (status === 0) return stdout;
  throw new Error(`${script} failed for ${args.join(' ')}: ${stderr}`);
}
