import type { Envelope } from '@swissbrain/shared-schema/events/envelope';
import { describe, expect, it } from 'vitest';
import { ZodError } from 'zod';
import { envelopeToHeaders, headersToEnvelope } from './event-headers.ts';

const envelope: Envelope = {
  id: '3b241101-e2bb-4255-8caf-4136c566a962',
  type: 'run.timed_out',
  version: 2,
  source: 'agent-runner',
  time: '2026-01-31T10:00:00.123456Z',
  aggregate_type: 'run',
  aggregate_id: '11111111-e2bb-4255-8caf-4136c566a962',
  aggregate_seq: 9_007_199_254_740_993n,
  user_id: '22222222-e2bb-4255-8caf-4136c566a962',
  root_id: '11111111-e2bb-4255-8caf-4136c566a962',
  run_seq: 7n,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

describe('the envelope as headers', () => {
  it('comes back as it was, with and without what may be absent', () => {
    expect(headersToEnvelope(envelopeToHeaders(envelope))).toEqual(envelope);
    const bare = { ...envelope, run_seq: null, traceparent: null };
    expect(headersToEnvelope(envelopeToHeaders(bare))).toEqual(bare);
  });
  it('is CloudEvents 1.0 in binary mode', () => {
    const headers = envelopeToHeaders(envelope);
    expect(headers.get('ce-specversion')).toBe('1.0');
    expect(headers.get('ce-type')).toBe('run.timed_out');
    expect(headers.get('ce-time')).toBe(envelope.time);
    expect(headers.get('content-type')).toBe('application/json');
  });
  it('names what is missing', () => {
    const headers = envelopeToHeaders(envelope);
    headers.delete('ce-id');
    expect(() => headersToEnvelope(headers)).toThrow(ZodError);
    expect(() => headersToEnvelope(undefined)).toThrow(/aggregate_id/);
  });
});
