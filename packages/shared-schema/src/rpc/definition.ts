import type { z } from 'zod';
import { identifierOf, type ServiceName } from '../ids.ts';

/** A question one service answers for another over NATS request/reply; both sides parse. */
export interface RpcDefinition<
  Request extends z.ZodType = z.ZodType,
  Response extends z.ZodType = z.ZodType,
> {
  readonly service: ServiceName;
  readonly method: string;
  readonly request: Request;
  readonly response: Response;
  /** How long a caller waits, and the deadline the server is told; milliseconds. */
  readonly timeoutMs: number;
}

/** Declares an rpc method. */
export function defineRpc<Request extends z.ZodType, Response extends z.ZodType>(
  definition: RpcDefinition<Request, Response>,
): RpcDefinition<Request, Response> {
  return Object.freeze(definition);
}

/** `rpc.<service>.<method>`; outside `sb.`, or the stream would answer requests with its acks. */
export function rpcSubject(definition: RpcDefinition): string {
  return `rpc.${identifierOf(definition.service)}.${definition.method}`;
}
