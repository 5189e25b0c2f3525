/** A picture as a model or a server gave it. */
export interface Picture {
  readonly bytes: Uint8Array;
  /** With the dot. */
  readonly extension: string;
}

const maxBytes = 50 * 1024 * 1024;
const beginnings: readonly (readonly [extension: string, begins: (bytes: Buffer) => boolean])[] = [
  ['.png', (bytes) => bytes.subarray(1, 4).toString('latin1') === 'PNG'],
  ['.jpg', (bytes) => bytes.readUIntBE(0, 3) === 0xffd8ff],
  ['.gif', (bytes) => bytes.subarray(0, 4).toString('latin1') === 'GIF8'],
  ['.webp', (bytes) => bytes.subarray(8, 12).toString('latin1') === 'WEBP'],
];

/** What kind of picture it is by its first bytes; servers do not always say the truth. */
function extensionOf(bytes: Uint8Array): string | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.length < 12 ? undefined : beginnings.find(([, begins]) => begins(view))?.[0];
}

/** Null for what is no picture of a kind that is shown everywhere, and for one that is too large. */
export function pictureOf(bytes: Uint8Array): Picture | null {
  const extension = extensionOf(bytes);
  return extension === undefined || bytes.length > maxBytes ? null : { bytes, extension };
}
