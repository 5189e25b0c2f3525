import { createHash } from 'node:crypto';
import { type Api, bodyOf } from './api.ts';
import { chunksOf } from './chunks.ts';
import { ApiProblem } from './problem.ts';
import type { CallOptions } from './runs.ts';
import type { Transport } from './transport.ts';
import type { ArtifactLink } from './types.ts';

/** The bytes that came are not the bytes that were stored. */
export class ArtifactMismatch extends Error {
  readonly artifactId: string;

  constructor(artifactId: string, what: string) {
    super(`artifact ${artifactId} arrived damaged: ${what}`);
    this.name = 'ArtifactMismatch';
    this.artifactId = artifactId;
  }
}

export interface Download {
  readonly artifact: ArtifactLink;
  /**
   * The content, to be read once. The last step throws ArtifactMismatch unless size and SHA-256 are those
   * of the stored artifact: keep what came only after the loop has ended.
   */
  readonly content: AsyncIterable<Uint8Array>;
}

/** The artifacts of the token's user. Every method throws ApiProblem or ConnectionError. */
export interface Artifacts {
  /** What is known about an artifact, with a link that works for a short time. */
  get(artifactId: string, options?: CallOptions): Promise<ArtifactLink>;
  /** Opens the content as a stream that is verified as it is read. */
  open(artifactId: string, options?: CallOptions): Promise<Download>;
  /** The whole verified content. */
  download(artifactId: string, options?: CallOptions): Promise<Uint8Array>;
}

const idleMs = 30_000;

/** The usual ways through the artifacts API. */
export function createArtifacts(transport: Transport, api: Api['agentRunner']): Artifacts {
  const get = (artifactId: string, options?: CallOptions): Promise<ArtifactLink> =>
    bodyOf(api.GET('/v1/artifacts/{id}', { params: { path: { id: artifactId } }, ...options }));
  const fetchContent = (artifact: ArtifactLink, options?: CallOptions) =>
    transport.open(
      { url: new URL(artifact.url), headers: { accept: '*/*' }, signal: options?.signal },
      // The link is its own permission, and may lead to a bucket that must not see our token.
      { withToken: false },
    );

  const open = async (artifactId: string, options?: CallOptions): Promise<Download> => {
    let artifact = await get(artifactId, options);
    let response: Response;
    try {
      response = await fetchContent(artifact, options);
    } catch (error) {
      if (!(error instanceof ApiProblem) || (error.status !== 403 && error.status !== 410)) throw error;
      // The link ran out between the two requests; a second refusal is a real one.
      artifact = await get(artifactId, options);
      response = await fetchContent(artifact, options);
    }
    return { artifact, content: verified(artifact, response) };
  };

  return {
    get,
    open,
    async download(artifactId, options) {
      const { content } = await open(artifactId, options);
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  };
}

async function* verified(artifact: ArtifactLink, response: Response): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let size = 0;
  if (response.body) {
    for await (const chunk of chunksOf(response.body, new URL(artifact.url).origin, idleMs)) {
      hash.update(chunk);
      size += chunk.length;
      if (size > artifact.size_bytes) break;
      yield chunk;
    }
  }
  if (size !== artifact.size_bytes) {
    throw new ArtifactMismatch(artifact.id, `${size} bytes instead of ${artifact.size_bytes}`);
  }
  const sha256 = hash.digest('hex');
  if (sha256 !== artifact.sha256) {
    throw new ArtifactMismatch(artifact.id, `SHA-256 ${sha256} instead of ${artifact.sha256}`);
  }
}
