import type { Rpc } from '@swissbrain/service-kit/rpc';
import { estimateRun as estimateRunMethod } from '@swissbrain/shared-schema/rpc/agent-runner';
import { estimateRun, type PrepareDeps } from '../operations/prepare-run.ts';

/** Answers credits' question for what a run would set out with. */
export function serveEstimateRun(rpc: Rpc, deps: Pick<PrepareDeps, 'tools' | 'modelReason'>): void {
  rpc.serve(estimateRunMethod, async (request) => ({ usage: estimateRun(request, deps) }));
}
