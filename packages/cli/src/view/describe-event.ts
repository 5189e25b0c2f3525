import {
  artifactCreated,
  runCancelled,
  runCompleted,
  runFailed,
  runQueued,
  runRequested,
  runStarted,
  runTimedOut,
  stepCompleted,
  stepFailed,
  stepStarted,
} from '@swissbrain/shared-schema/events/agent-runner';
import {
  creditsConsumed,
  creditsDenied,
  creditsExhausted,
  creditsExpired,
  creditsGranted,
  creditsReleased,
  creditsReserved,
} from '@swissbrain/shared-schema/events/credits';
import type { EventData, EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import { formatBytes, formatDuration, formatMicro, formatTime, padEnd } from '../format.ts';
import type { Style } from '../style.ts';
import { redact } from '../tap/redact.ts';
import type { ObservedEvent } from './run-progress.ts';

type Describe = (data: unknown) => string | null;
const descriptions = new Map<string, Describe>();

function describe<Definition extends EventDefinition>(
  definition: Definition,
  text: (data: EventData<Definition>) => string,
): void {
  descriptions.set(definition.type, (data) => {
    const parsed = definition.data.safeParse(data);
    return parsed.success ? text(parsed.data as EventData<Definition>) : null;
  });
}

/** What an event says, in one line without its type. Unknown events show their data, secrets redacted. */
export function describeEvent(event: Pick<ObservedEvent, 'type' | 'data'>): string {
  return String(redact(descriptions.get(event.type)?.(event.data) ?? JSON.stringify(redact(event.data))));
}

/** The line of an event in a log: time, type, and what it says. */
export function eventLine(event: ObservedEvent, style: Style): string {
  const type = padEnd(event.type, 17);
  return `${style.dim(formatTime(event.time))}  ${paintType(event.type, type, style)}  ${describeEvent(event)}`;
}

/** A type in the colour of its meaning. */
export function paintType(type: string, text: string, style: Style): string {
  if (/\.(failed|denied|exhausted|timed_out|expired)$/.test(type)) return style.red(text);
  if (/\.(cancelled|paused|waiting)$/.test(type)) return style.yellow(text);
  if (type === 'run.completed') return style.green(text);
  return type.startsWith('credits.') ? style.cyan(text) : text;
}

describe(runRequested, ({ title, budget_micro }) =>
  budget_micro === null ? title : `${title}, at most ${formatMicro(budget_micro)} credits`,
);
describe(runQueued, () => 'waits for a worker');
describe(runStarted, ({ attempt }) =>
  attempt === 1 ? 'a worker took it' : `taken over, attempt ${attempt}`,
);
describe(stepStarted, ({ step_key, tool }) => `${step_key} (${tool})`);
describe(stepCompleted, ({ step_key, duration_ms }) => `${step_key} in ${formatDuration(duration_ms)}`);
describe(stepFailed, ({ step_key, error }) => `${step_key}: ${error.message}`);
describe(
  artifactCreated,
  ({ name, size_bytes, sha256 }) => `${name}, ${formatBytes(size_bytes)}, sha256 ${sha256.slice(0, 12)}…`,
);
describe(runCompleted, ({ steps }) => `${steps} ${steps === 1 ? 'step' : 'steps'}`);
for (const definition of [runFailed, runCancelled, runTimedOut]) {
  describe(
    definition,
    ({ steps, error }) => error?.message ?? `after ${steps} ${steps === 1 ? 'step' : 'steps'}`,
  );
}
describe(
  creditsReserved,
  ({ held_micro, available_micro }) =>
    `${formatMicro(held_micro)} held, ${formatMicro(available_micro)} left`,
);
describe(
  creditsDenied,
  ({ required_micro, available_micro }) =>
    `${formatMicro(required_micro)} needed, ${formatMicro(available_micro)} available`,
);
describe(creditsConsumed, ({ lines, consumed_micro }) => {
  const total = lines.reduce((sum, line) => sum + BigInt(line.cost_micro), 0n);
  return `${formatMicro(total.toString())} for ${lines.map((line) => line.operation).join(', ')}; ${formatMicro(consumed_micro)} in all`;
});
describe(
  creditsReleased,
  ({ consumed_micro, released_micro, available_micro }) =>
    `${formatMicro(released_micro)} back, ${formatMicro(consumed_micro)} consumed, ${formatMicro(available_micro)} available`,
);
describe(creditsExpired, ({ released_micro }) => `the hold ran out, ${formatMicro(released_micro)} back`);
describe(
  creditsExhausted,
  ({ debt_micro }) => `hold and balance are used up, ${formatMicro(debt_micro)} owed`,
);
describe(
  creditsGranted,
  ({ amount_micro, grant_source, available_micro }) =>
    `${formatMicro(amount_micro)} (${grant_source}), ${formatMicro(available_micro)} available`,
);
