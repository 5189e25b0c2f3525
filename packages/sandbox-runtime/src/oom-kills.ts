import { readFileSync } from 'node:fs';
import { errnoOf } from './faults.ts';

/** Where a container sees its own counter, with cgroups v2 and v1. */
const files = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

/** How many processes of this container the kernel has killed for want of memory; null where it does not say. */
export function oomKills(): number | null {
  for (const file of files) {
    try {
      const match = /^oom_kill (\d+)$/m.exec(readFileSync(file, 'latin1'));
      if (match) return Number(match[1]);
    } catch (error) {
      const code = errnoOf(error);
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR') throw error;
    }
  }
  return null;
}
