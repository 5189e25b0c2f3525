import { describeError } from '@swissbrain/service-kit/errors';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { type RpcDefinition, rpcSubject } from '@swissbrain/shared-schema/rpc/definition';

/** Which methods of other services are served now, as far as was last seen. */
export interface Served {
  /** Why a tool that needs these methods cannot be used; null when it can. */
  down(definitions: readonly RpcDefinition[]): string | null;
  /** Looks again. */
  look(): Promise<void>;
}

/** Nothing counts as served before `look` has seen it. */
export function watchServed(rpc: Pick<Rpc, 'isServed'>, watched: readonly RpcDefinition[]): Served {
  const reasons = new Map<string, string | null>();
  const reasonOf = async (definition: RpcDefinition): Promise<string | null> => {
    try {
      if (await rpc.isServed(definition)) return null;
      return `the service ${definition.service} is not running, or does not offer "${definition.method}"`;
    } catch (error) {
      return `the service ${definition.service} cannot be asked: ${describeError(error)}`;
    }
  };
  return {
    down(definitions) {
      for (const definition of definitions) {
        const reason = reasons.get(rpcSubject(definition));
        if (reason !== null) return reason ?? `the service ${definition.service} has not been asked yet`;
      }
      return null;
    },
    async look() {
      await Promise.all(
        watched.map(async (definition) => {
          reasons.set(rpcSubject(definition), await reasonOf(definition));
        }),
      );
    },
  };
}
