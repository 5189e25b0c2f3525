import { formatTime, padEnd } from '../format.ts';
import type { Style } from '../style.ts';
import { describeEvent, paintType } from '../view/describe-event.ts';
import type { TappedEvent, UnreadableMessage } from './decode-event.ts';

/** An event for another program: the envelope, the data, and where it was found. */
export function jsonLine(event: TappedEvent | UnreadableMessage): Record<string, unknown> {
  if (!('envelope' in event)) {
    return { subject: event.subject, stream_seq: event.streamSeq, problem: event.problem };
  }
  const { envelope, data, subject, streamSeq } = event;
  return {
    ...envelope,
    // JSON has no big integers; a sequence stays far below 2^53.
    aggregate_seq: Number(envelope.aggregate_seq),
    run_seq: envelope.run_seq === null ? null : Number(envelope.run_seq),
    subject,
    stream_seq: streamSeq,
    data,
  };
}

/** An event for people: time, type, root of the work, and what it says. */
export function prettyLine(event: TappedEvent | UnreadableMessage, style: Style): string {
  if (!('envelope' in event)) {
    return `${style.red('unreadable')}  ${event.subject}  ${event.problem.replace(/\s+/g, ' ')}`;
  }
  const { envelope, data } = event;
  const type = paintType(envelope.type, padEnd(envelope.type, 17), style);
  const root = style.dim(envelope.root_id.slice(0, 8));
  return `${style.dim(formatTime(envelope.time))}  ${type}  ${root}  ${describeEvent({ type: envelope.type, data })}`;
}
