import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type OutputLog, openOutputLog } from './output-log.ts';
import type { ExecutionRecord } from './protocol.ts';

export interface StoredExecution {
  readonly record: ExecutionRecord;
  /** Hash of the request, to tell a repeated one from another one under the same id. */
  readonly requestSha256: string;
}

/** Records and output of a session's executions, in files outside the workspace. */
export interface ExecutionStore {
  /** Marks an id as used, for good, before anything is started under it; returns its empty output log. */
  begin(execution: StoredExecution): OutputLog;
  /** Replaces the record whole. */
  save(execution: StoredExecution): void;
  /** What an earlier process of this session left. What was running then is marked `lost`. */
  load(): readonly (StoredExecution & { readonly log: OutputLog })[];
}

/** Opens the store in `directory`, creating it when missing. */
export function openExecutionStore(directory: string): ExecutionStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const recordFile = (id: string) => join(directory, `${id}.json`);
  const logFile = (id: string) => join(directory, `${id}.out`);

  const save = (execution: StoredExecution) => {
    const file = recordFile(execution.record.id);
    writeFileSync(`${file}.draft`, JSON.stringify(execution), { mode: 0o600 });
    renameSync(`${file}.draft`, file);
  };

  return {
    begin(execution) {
      save(execution);
      return openOutputLog(logFile(execution.record.id), { writable: true });
    },
    save,
    load() {
      const files = readdirSync(directory).filter((name) => name.endsWith('.json'));
      return files.map((name) => {
        const stored = JSON.parse(readFileSync(join(directory, name), 'utf8')) as StoredExecution;
        const log = openLeftLog(logFile(stored.record.id));
        if (stored.record.state === 'finished') return { ...stored, log };
        const lost = { ...stored, record: lostRecord(stored.record, log.size()) };
        save(lost);
        return { ...lost, log };
      });
    },
  };
}

/** The log of an earlier process; it may have died before it created one. */
function openLeftLog(file: string): OutputLog {
  const log = openOutputLog(file, { writable: !existsSync(file) });
  log.end();
  return log;
}

function lostRecord(record: ExecutionRecord, outputSize: number): ExecutionRecord {
  return {
    ...record,
    state: 'finished',
    reason: 'lost',
    output_size: outputSize,
    message: 'the sandbox was restarted while this ran; how it ended is not known',
  };
}
