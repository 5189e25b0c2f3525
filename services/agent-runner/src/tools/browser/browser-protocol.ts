import { z } from 'zod';
import { workspacePath } from '../workspace-path.ts';

const target = z
  .strictObject({
    ref: z
      .string()
      .regex(/^[a-z0-9]{1,20}$/)
      .optional()
      .describe('Of the latest `read`, for example e12'),
    text: z.string().min(1).max(500).optional().describe('Its words, or those of its label'),
    selector: z.string().min(1).max(500).optional().describe('A CSS selector'),
  })
  .refine((given) => Object.values(given).filter(Boolean).length === 1, 'give one of ref, text and selector');

/** What a model may do in a browser. */
export const browserInput = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('open'),
    address: z
      .union([z.url({ protocol: /^https?$/ }).max(4_000), workspacePath])
      .describe('An http or https address, or the path of a file of the workspace'),
  }),
  z.strictObject({ action: z.literal('click'), target }),
  z.strictObject({
    action: z.literal('type'),
    target,
    text: z.string().max(20_000).describe('Replaces what is there; of a choice, the option'),
    submit: z.boolean().default(false).describe('Press Enter afterwards'),
  }),
  z.strictObject({ action: z.literal('read') }),
  z.strictObject({
    action: z.literal('screenshot'),
    path: workspacePath
      .refine((path) => path.endsWith('.png'), 'ends in .png')
      .default('artifacts/screenshot.png'),
    full_page: z.boolean().default(false),
  }),
]);
export type BrowserInput = z.infer<typeof browserInput>;

/** What the host leaves for an action. */
export const browserAnswer = z.union([
  z.object({ output: z.record(z.string(), z.unknown()) }),
  z.object({ failure: z.object({ code: z.string(), message: z.string() }) }),
]);
export type BrowserAnswer = z.infer<typeof browserAnswer>;

/** Where host and tool meet in the workspace; each host has a folder of its own. */
export function browserFolder(generation: number): string {
  return `.swissbrain/browser/${generation}`;
}

/** Cookies and place of the browser, for the host that comes next. */
export const browserState = '.swissbrain/browser/state.json';

/** The number of the host that is to be asked. */
export const browserGeneration = '.swissbrain/browser/generation';
