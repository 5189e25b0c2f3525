import type { CallToolResult } from '@modelcontextprotocol/client';
import type { KeptPicture } from './mcp-pictures.ts';

/** Kept of one answer: what the model is shown of it is less. */
const maxCharacters = 256 * 1024;

/** What a call leaves in its step. */
export interface McpOutput {
  readonly text: string;
  /** As the server's schema describes it, where it has one. */
  readonly structured?: unknown;
  /** Pictures that lie in the workspace now. */
  readonly images?: readonly { readonly path: string; readonly size_bytes: number }[];
  readonly truncated?: true;
}

type Block = CallToolResult['content'][number];

/** Base64 as bytes, about: for words about what is not shown. */
const bytesOf = (data: string) => Math.floor((data.length * 3) / 4);

function textOf(block: Block, picture: KeptPicture | undefined): string {
  if (picture) {
    return 'path' in picture
      ? `[picture, ${picture.size_bytes} bytes, kept as ${picture.path}]`
      : `[picture, not kept: ${picture.problem}]`;
  }
  switch (block.type) {
    case 'text':
      return block.text;
    case 'image':
    case 'audio':
      return `[${block.type} ${block.mimeType}, ${bytesOf(block.data)} bytes, not shown]`;
    case 'resource_link':
      return `[resource ${block.uri}${block.description ? `: ${block.description}` : ''}]`;
    case 'resource': {
      const { resource } = block;
      if ('text' in resource) return `[resource ${resource.uri}]\n${resource.text}`;
      return `[resource ${resource.uri}, ${bytesOf(resource.blob)} bytes, not shown]`;
    }
    default:
      return '[content of an unknown kind, not shown]';
  }
}

/**
 * An answer in bounded size. Structured content that is too large is left out, since half of it is none; its text, which
 * servers send along, is cut.
 */
export function outputOf(
  result: CallToolResult,
  redact: (text: string) => string,
  pictures: ReadonlyMap<Block, KeptPicture> = new Map(),
): McpOutput {
  const blocks = result.content ?? [];
  const text = redact(blocks.map((block) => textOf(block, pictures.get(block))).join('\n\n'));
  const images = [...pictures.values()].filter((picture) => 'path' in picture);
  const structured =
    result.structuredContent === undefined ? undefined : redact(JSON.stringify(result.structuredContent));
  const fits = structured !== undefined && structured.length <= maxCharacters;
  const truncated = text.length > maxCharacters || (structured !== undefined && !fits);
  return {
    text: text.slice(0, maxCharacters),
    ...(images.length > 0 ? { images } : {}),
    ...(fits ? { structured: JSON.parse(structured) as unknown } : {}),
    ...(truncated ? { truncated: true } : {}),
  };
}
