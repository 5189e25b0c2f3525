import { AppError } from '@swissbrain/service-kit/errors';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import type { RpcDefinition } from '@swissbrain/shared-schema/rpc/definition';
import type { z } from 'zod';
import type { Usage } from '../../domain/usage.ts';
import type { Tool, ToolContext, ToolEffect, ToolResult, ToolType } from '../tool.ts';
import type { Served } from './served.ts';

/** A tool whose work another service does. */
export interface RemoteTool<Input> {
  readonly name: ToolType & string;
  readonly description: string;
  readonly input: z.ZodType<Input>;
  /** What it needs; it is offered when all of them are served. */
  readonly methods: readonly RpcDefinition[];
  readonly effect: ToolEffect;
  effectOf(input: Input): ToolEffect;
  /** What a call that was answered costs here; work that the other service bills itself is not in it. */
  usageOf(input: Input): readonly Usage[];
  readonly worstCase: readonly Usage[];
  /**
   * Asks the other service. Whose account, run and step it is comes from the context alone: nothing that a model writes
   * reaches another user's.
   */
  ask(
    input: Input,
    context: Pick<ToolContext, 'userId' | 'runId' | 'stepId'>,
    call: <Q extends z.ZodType, S extends z.ZodType>(
      definition: RpcDefinition<Q, S>,
      request: z.input<Q>,
    ) => Promise<z.infer<S>>,
  ): Promise<unknown>;
}

/** Beside the time of one call. */
const graceMs = 10_000;

/** What a call that was refused or lost means to the model. */
function failureOf(error: unknown, effect: ToolEffect): ToolResult {
  if (!(error instanceof AppError)) throw error;
  // Refused, or nobody was there: nothing has happened.
  const settled = error.status < 500 || error.code === 'rpc_unavailable';
  const doubt = settled || effect === 'read' ? '' : '; whether it was done is not known';
  return { output: null, usage: [], failure: { code: error.code, message: `${error.detail}${doubt}` } };
}

/** A tool that asks another service, under the step's id as idempotency key: asked again after a crash it finds the first. */
export function createRemoteTool<Input>(
  tool: RemoteTool<Input>,
  { rpc, served }: { readonly rpc: Pick<Rpc, 'call'>; readonly served: Pick<Served, 'down'> },
): Tool<Input> {
  const longestMs = Math.max(...tool.methods.map(({ timeoutMs }) => timeoutMs)) + graceMs;
  return {
    name: tool.name,
    type: tool.name,
    description: tool.description,
    input: tool.input,
    offered: true,
    effect: tool.effect,
    effectOf: tool.effectOf,
    resume: 'lookup',
    timeoutSeconds: longestMs / 1_000,
    unavailable: () => served.down(tool.methods),
    estimate: () => tool.worstCase,
    async run(input, context) {
      try {
        const output = await tool.ask(input, context, (definition, request) =>
          rpc.call(definition, request, { idempotencyKey: context.stepId }),
        );
        return { output, usage: tool.usageOf(input) };
      } catch (error) {
        context.signal.throwIfAborted();
        return failureOf(error, tool.effectOf(input));
      }
    },
  };
}
