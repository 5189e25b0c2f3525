import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { agentRunnerAt, type Handler, reply, startServer } from '../test/server.ts';
import { ArtifactMismatch, createArtifacts } from './artifacts.ts';
import { createTransport } from './transport.ts';

const content = Buffer.from('# Report\n'.repeat(50_000));
const transport = createTransport({ token: 'bearer', retry: { attempts: 2, baseMs: 1, capMs: 1 } });
const metadata = (url: string) => ({
  id: 'a1',
  size_bytes: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
  url,
});

/** Metadata at /v1/artifacts/a1, content at /content as `answer` gives it. */
function serving(answer: Handler): Handler {
  return (request, response, body) => {
    if (request.url?.startsWith('/content')) answer(request, response, body);
    else reply(response, 200, metadata(`http://${request.headers.host}/content?signature=s`));
  };
}

describe('download', () => {
  it('returns the verified bytes without showing the token to the storage', async () => {
    await using server = await startServer(serving((_, response) => response.end(content)));
    const bytes = await createArtifacts(transport, agentRunnerAt(transport, server.url)).download('a1');
    expect(Buffer.from(bytes).equals(content)).toBe(true);
    expect(server.requests.map((request) => request.headers.authorization)).toEqual([
      'Bearer bearer',
      undefined,
    ]);
  });

  it('refuses content that was changed', async () => {
    const changed = Buffer.from(content);
    changed[10] = 0;
    await using server = await startServer(serving((_, response) => response.end(changed)));
    await expect(
      createArtifacts(transport, agentRunnerAt(transport, server.url)).download('a1'),
    ).rejects.toThrow(ArtifactMismatch);
  });

  it('refuses content of another length', async () => {
    await using server = await startServer(serving((_, response) => response.end(content.subarray(1))));
    await expect(
      createArtifacts(transport, agentRunnerAt(transport, server.url)).download('a1'),
    ).rejects.toThrow(`${content.length - 1} bytes instead of ${content.length}`);
  });

  it('asks for a new link when the first one has expired', async () => {
    let links = 0;
    await using server = await startServer(
      serving((_, response) => {
        links += 1;
        if (links === 1) reply(response, 403, { title: 'The link has expired' });
        else response.end(content);
      }),
    );
    const bytes = await createArtifacts(transport, agentRunnerAt(transport, server.url)).download('a1');
    expect(bytes).toHaveLength(content.length);
    expect(server.requests).toHaveLength(4);
  });

  it('reports a second refusal', async () => {
    await using server = await startServer(serving((_, response) => reply(response, 403, { title: 'No' })));
    await expect(
      createArtifacts(transport, agentRunnerAt(transport, server.url)).download('a1'),
    ).rejects.toMatchObject({
      status: 403,
    });
  });
});
