import type { ModelRefusal, ModelReply } from './model-script.ts';

/** One server-sent event; `data` that is no string is sent as JSON. */
export interface SentEvent {
  readonly event?: string;
  readonly data: unknown;
}

/** How one provider says things. */
export interface WireFormat {
  readonly api: 'openai' | 'anthropic';
  whole(reply: ModelReply, number: number, model: string): unknown;
  streamed(reply: ModelReply, number: number, model: string, withUsage: boolean): SentEvent[];
  refused(refusal: ModelRefusal): unknown;
  /** An error in the middle of a stream. */
  brokenOff(): SentEvent;
}

const pieceLength = 12;

/** Text as it trickles out of a model. */
export function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += pieceLength) pieces.push(text.slice(at, at + pieceLength));
  return pieces;
}

/** Arguments of a call as the wire carries them: a string stays what it is, broken or not. */
export function argumentsOf(input: unknown): string {
  return typeof input === 'string' ? input : JSON.stringify(input ?? {});
}
