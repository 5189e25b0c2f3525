import type { CallToolResult } from '@modelcontextprotocol/client';
import { SandboxError } from '../../sandbox/errors.ts';
import { type Picture, pictureOf } from '../picture.ts';
import type { ToolContext } from '../tool.ts';

type Block = CallToolResult['content'][number];

/** Of one answer; what comes beyond is named only. */
const mostPictures = 16;

/** What became of a picture. */
export type KeptPicture =
  | { readonly path: string; readonly size_bytes: number }
  /** Why it is not in the workspace. */
  | { readonly problem: string };

function picturesOf(content: readonly Block[]): [Block, Picture][] {
  const found = content.flatMap((block): [Block, Picture][] => {
    const data =
      block.type === 'image'
        ? block.data
        : block.type === 'resource' && 'blob' in block.resource
          ? block.resource.blob
          : undefined;
    const picture = data === undefined ? null : pictureOf(Buffer.from(data, 'base64'));
    return picture ? [[block, picture]] : [];
  });
  return found.slice(0, mostPictures);
}

/**
 * Puts the pictures of an answer into the workspace under artifacts/, named by tool and step, so that no call writes over
 * another's. The call has been made: where the workspace does not take them, the answer says so and is an answer still.
 * @throws SandboxError, only for a call that may be made again, when that may help
 */
export async function keepPictures(
  content: readonly Block[],
  call: { readonly tool: string; readonly context: ToolContext; readonly repeatable: boolean },
): Promise<ReadonlyMap<Block, KeptPicture>> {
  const { context } = call;
  const kept = new Map<Block, KeptPicture>();
  const tool = call.tool.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 60);
  for (const [place, [block, { bytes, extension }]] of picturesOf(content).entries()) {
    const path = `artifacts/${tool}-${context.stepId.slice(0, 8)}-${place + 1}${extension}`;
    try {
      const session = await context.sandbox();
      await session.putFile(path, bytes);
      kept.set(block, { path, size_bytes: bytes.length });
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof SandboxError) || (call.repeatable && error.fault !== 'user')) throw error;
      kept.set(block, { problem: error.message });
    }
  }
  return kept;
}
