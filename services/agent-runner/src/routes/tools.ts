import type { Http } from '@swissbrain/service-kit/http';
import { toolList } from '@swissbrain/shared-schema/http/agent-runner';
import { inputSchemaOf, type ToolRegistry } from '../tools/registry.ts';

/** What steps and models can use here. */
export function registerToolRoutes(http: Http, tools: ToolRegistry): void {
  http.get(
    '/v1/tools',
    {
      schema: {
        operationId: 'listTools',
        summary: 'List the tools of this installation',
        description:
          'With the schema of their input, and for a tool that cannot be used the reason and what to set.',
        tags: ['tools'],
        response: { 200: toolList },
      },
    },
    async () => ({
      items: tools.list().map((tool) => {
        const reason = tool.unavailable();
        return {
          name: tool.name,
          description: tool.description,
          available: reason === null,
          reason,
          effect: tool.effect,
          resume: tool.resume,
          timeout_seconds: tool.timeoutSeconds,
          charged_as: tool.estimate({}).map((usage) => usage.operation),
          input_schema: inputSchemaOf(tool),
        };
      }),
    }),
  );
}
