/** The operations that have a price of their own, each with the unit of its quantities. */
export const operations = {
  /** Milliseconds. */
  codeExecution: 'code.execution',
  /** Items. */
  wideResearchItem: 'wide_research.item',
  /** Images. */
  imageGeneration: 'image.generation',
  /** Actions. */
  browserAction: 'browser.action',
  /** Calls. */
  connectorCall: 'connector.call',
  /** Searches. */
  webSearch: 'web.search',
  /** Operations; free of charge. */
  fileOperation: 'file.operation',
} as const;

/** Prices of models that have none of their own; quantities are tokens. */
export const defaultModelOperations = { input: 'llm.default.input', output: 'llm.default.output' } as const;

/** The operation that a model's tokens are charged as: `llm.gpt-4-turbo.input`. */
export function modelOperation(model: string, direction: 'input' | 'output'): string {
  return `llm.${model}.${direction}`;
}

/**
 * The operation whose price applies where `operation` has none: the default model for a model's tokens, else
 * null. The ledger applies the same rule.
 */
export function fallbackOperation(operation: string): string | null {
  const direction = /^llm\..+\.(input|output)$/.exec(operation)?.[1];
  if (direction === undefined) return null;
  return direction === 'input' ? defaultModelOperations.input : defaultModelOperations.output;
}
