// npm run reset: clears what the local stack has kept.
import { dirname } from 'node:path';
import { clearData } from '@swissbrain/local-stack/reset';
import { defaultDataDir } from '@swissbrain/local-stack/state';
import { wordsOf } from './progress.ts';

const root = dirname(import.meta.dirname);
const dataDir = defaultDataDir(root);

try {
  await clearData(root, dataDir, console.log);
  console.log(`${dataDir} cleared; servers given by URL keep their data`);
} catch (error) {
  console.error(`${wordsOf(error)}\nNothing was cleared.`);
  process.exitCode = 1;
}
