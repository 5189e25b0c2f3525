/** Some lines of a text, with their ends. */
export interface Lines {
  readonly content: string;
  readonly lines: number;
  /** The line to go on with; null at the end of the text. */
  readonly nextLine: number | null;
}

export interface Window {
  /** The first line; that of the text is 1. */
  readonly from: number;
  readonly count: number;
  /** Of all lines together; one that is longer by itself is cut. */
  readonly maxCharacters: number;
}

/** Reads the lines of a window of a text; what is before is not kept, what is behind not read. */
export async function readLines(source: AsyncIterable<Uint8Array>, window: Window): Promise<Lines> {
  const { from, count, maxCharacters } = window;
  const decoder = new TextDecoder();
  const kept: string[] = [];
  let size = 0;
  let line = 1;
  let pending = '';
  const result = (more: boolean): Lines => ({
    content: kept.join('').toWellFormed(),
    lines: kept.length,
    nextLine: more ? from + kept.length : null,
  });
  /** False when the line does not fit any more. */
  const keep = (end: '\n' | ''): boolean => {
    if (kept.length > 0 && size + pending.length > maxCharacters) return false;
    kept.push(`${pending.slice(0, maxCharacters)}${end}`);
    size += pending.length;
    pending = '';
    return true;
  };
  for await (const chunk of source) {
    const text = decoder.decode(chunk, { stream: true });
    for (let at = 0; at < text.length; ) {
      if (kept.length === count) return result(true);
      const newline = text.indexOf('\n', at);
      const end = newline === -1 ? text.length : newline;
      if (line >= from && pending.length <= maxCharacters) pending += text.slice(at, end);
      if (newline !== -1) {
        if (line >= from && !keep('\n')) return result(true);
        line += 1;
      }
      at = end + 1;
    }
  }
  return result(pending !== '' && !keep(''));
}
